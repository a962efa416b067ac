/* Codes whose channels have their own units and shifts, both of which may be NULL. */
typedef struct {
  const uint8_t *codes;
  float scale;
  int zero;
  const float *units, *shifts;
} scaled;

static float value(const scaled *s, int at, int channel) {
  float found = (float)(s->codes[at] - s->zero) * s->scale;
  return s->units ? found * s->units[channel] + s->shifts[channel] : found;
}

static float length(const scaled *s, int at, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) {
    float v = value(s, at + i, i);
    sum += v * v;
  }
  sum = sqrtf(sum);
  return sum > 1e-12f ? sum : 1e-12f;
}

/* 1/2 |a/|a| - b/|b||^2 at each pixel. */
static void direction_units_u8(const scaled *a, const scaled *b, float *y, int pixels, int n) {
  for (int p = 0; p < pixels; p++) {
    float first = length(a, p * n, n), second = length(b, p * n, n), sum = 0;
    for (int i = 0; i < n; i++) {
      float d = value(a, p * n + i, i) / first - value(b, p * n + i, i) / second;
      sum += d * d;
    }
    y[p] = 0.5f * sum;
  }
}
