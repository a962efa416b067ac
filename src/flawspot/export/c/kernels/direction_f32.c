static float length_f32(const float *x, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * x[i];
  sum = sqrtf(sum);
  return sum > 1e-12f ? sum : 1e-12f;
}

/* 1/2 |a/|a| - b/|b||^2 at each pixel. */
static void direction_f32(const float *a, const float *b, float *y, int pixels, int n) {
  for (int p = 0; p < pixels; p++, a += n, b += n) {
    float first = length_f32(a, n), second = length_f32(b, n), sum = 0;
    for (int i = 0; i < n; i++) {
      float d = a[i] / first - b[i] / second;
      sum += d * d;
    }
    y[p] = 0.5f * sum;
  }
}
