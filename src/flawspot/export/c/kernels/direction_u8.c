/* 1/2 |a/|a| - b/|b||^2 = 1 - a.b / |a||b| at each pixel, from whole numbers; their scales cancel. */
static void direction_u8(const uint8_t *a, const uint8_t *b, float *y, int pixels, int n, int zero, int other) {
  for (int p = 0; p < pixels; p++, a += n, b += n) {
    int32_t ab = 0, aa = 0, bb = 0;
    double lengths;
    for (int i = 0; i < n; i++) {
      int32_t s = a[i] - zero, t = b[i] - other;
      ab += s * t;
      aa += s * s;
      bb += t * t;
    }
    lengths = sqrt((double)aa * (double)bb);
    y[p] = lengths > 0 ? (float)(1.0 - (double)ab / lengths) : aa != bb ? 0.5f : 0.0f;
  }
}
