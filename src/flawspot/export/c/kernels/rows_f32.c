/* Two vectors of n numbers times all columns: y and z get `outputs` numbers each. Columns are stored in fours. */
static void rows_f32(const float *p, const float *q, float *y, float *z, int n, int outputs, const float *w,
                     const float *bias, float low, float high) {
  for (int o = 0; o < outputs; o += 4, bias += 4) {
    float a[4], b[4];
    for (int j = 0; j < 4; j++) a[j] = b[j] = bias[j];
    for (int i = 0; i < n;) { /* sums of partial sums are more precise than one long sum */
      float a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
      for (int end = n - i < 32 ? n : i + 32; i < end; i++, w += 4) {
        float u = p[i], v = q[i];
        a0 += u * w[0];
        a1 += u * w[1];
        a2 += u * w[2];
        a3 += u * w[3];
        b0 += v * w[0];
        b1 += v * w[1];
        b2 += v * w[2];
        b3 += v * w[3];
      }
      a[0] += a0;
      a[1] += a1;
      a[2] += a2;
      a[3] += a3;
      b[0] += b0;
      b[1] += b1;
      b[2] += b2;
      b[3] += b3;
    }
    for (int j = 0; j < 4 && o + j < outputs; j++) {
      y[o + j] = bounded(a[j], low, high);
      z[o + j] = bounded(b[j], low, high);
    }
  }
}
