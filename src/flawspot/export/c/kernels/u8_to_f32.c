static void u8_to_f32(const uint8_t *x, float *y, int n, float scale, int zero) {
  for (int i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}
