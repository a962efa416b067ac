static void pointwise_f32(const float *x, float *y, int pixels, int channels, int outputs, const float *w,
                          const float *bias, float low, float high) {
  for (int i = 0; i < pixels; i += 2) {
    int next = i + 1 < pixels;
    rows_f32(x, x + next * channels, y, y + next * outputs, channels, outputs, w, bias, low, high);
    x += 2 * channels;
    y += 2 * outputs;
  }
}
