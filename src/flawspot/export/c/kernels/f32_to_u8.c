static void f32_to_u8(const float *x, uint8_t *y, int n, float scale, int zero, float low, float high) {
  for (int i = 0; i < n; i++) y[i] = (uint8_t)code(x[i] / scale, low, high, zero);
}
