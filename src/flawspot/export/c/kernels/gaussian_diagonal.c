/* |(v - mean) * scale| at each position; both tables are ordered by position. */
static void gaussian_diagonal(const piece *pieces, int count, int side, float *y, float *vector, const float *mean,
                              const void *scale, int halves) {
  size_t at = 0;
  for (int p = 0; p < side * side; p++) {
    int n = gathered(pieces, count, side, p / side, p % side, vector);
    float sum = 0;
    for (int i = 0; i < n; i++) {
      float d = (vector[i] - mean[i]) * stored(scale, halves, at++);
      sum += d * d;
    }
    y[p] = sqrtf(sum);
    mean += n;
  }
}
