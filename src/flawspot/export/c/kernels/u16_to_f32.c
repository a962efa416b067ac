static void u16_to_f32(const uint16_t *x, float *y, int n, float scale, int zero) {
  for (int i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}
