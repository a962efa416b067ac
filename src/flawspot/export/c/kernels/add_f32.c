static void add_f32(const float *a, const float *b, float *y, int n, float low, float high) {
  for (int i = 0; i < n; i++) y[i] = bounded(a[i] + b[i], low, high);
}
