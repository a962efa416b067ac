static void f32_to_u16(const float *x, uint16_t *y, int n, float scale, int zero, float low, float high) {
  for (int i = 0; i < n; i++) y[i] = (uint16_t)code(x[i] / scale, low, high, zero);
}
