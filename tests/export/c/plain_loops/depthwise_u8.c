/* Channels of a pixel side by side, as they lie in memory. What is written over its input comes out wrong, at the same
   cost. */
static int32_t sums[4096];

#define DEPTHWISE_U8(name, taps, side, step)                                                             \
  static void name(const uint8_t *x, uint8_t *y, uint8_t *plane, const shape *s, const quantized *c) {   \
    int n = s->channels;                                                                                 \
    (void)plane;                                                                                         \
    for (int i = 0; i < s->rows; i++)                                                                    \
      for (int j = 0; j < s->columns; j++, y += n) {                                                     \
        for (int k = 0; k < n; k++) sums[k] = c->bias[k];                                                \
        for (int a = 0; a < side; a++) {                                                                 \
          int at = i * step - s->top + a;                                                                \
          if (at < 0 || at >= s->height) continue;                                                       \
          for (int b = 0; b < side; b++) {                                                               \
            int beside = j * step - s->left + b;                                                         \
            const int8_t *w = c->weights + (a * side + b) * n;                                           \
            const uint8_t *from = x + (at * s->width + beside) * n;                                      \
            if (beside < 0 || beside >= s->width) continue;                                              \
            for (int k = 0; k < n; k++) sums[k] += from[k] * w[k];                                       \
          }                                                                                              \
        }                                                                                                \
        for (int k = 0; k < n; k++)                                                                      \
          y[k] = (uint8_t)code((float)sums[k] * c->scale[k], c->low, c->high, c->zero);                  \
      }                                                                                                  \
  }
