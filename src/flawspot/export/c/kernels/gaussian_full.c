/* |W (v - mean)| at each position. W is lower triangular. It is stored by position, in bands of `height` rows, each as
   wide as its last row. */
static void gaussian_full(const piece *pieces, int count, int side, float *y, float *vector, const float *mean,
                          const void *bands, int halves, int height) {
  size_t at = 0;
  for (int p = 0; p < side * side; p++) {
    int n = gathered(pieces, count, side, p / side, p % side, vector);
    float sum = 0;
    for (int i = 0; i < n; i++) vector[i] -= mean[i];
    mean += n;
    for (int first = 0; first < n; first += height) {
      int last = first + height < n ? first + height : n;
      for (int i = first; i < last; i++) {
        float d = 0;
        for (int j = 0; j < last; j++) d += stored(bands, halves, at++) * vector[j];
        sum += d * d;
      }
    }
    y[p] = sqrtf(sum);
  }
}
