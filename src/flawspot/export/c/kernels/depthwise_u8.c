/* One channel at a time, copied with its border into `plane`, so that y may overwrite x; four outputs at a time.
   The last ones of a row may read the next row, or beyond the last row; they are discarded. */
static void plane_u8(const uint8_t *x, uint8_t *plane, const shape *s, int lines, int line) {
  int n = s->channels, lasting = s->height < lines - s->top ? s->height : lines - s->top;
  int reaching = s->width < line - s->left ? s->width : line - s->left;
  for (int i = 0; i < lasting; i++) {
    const uint8_t *from = x + (size_t)i * (size_t)(s->width * n);
    uint8_t *to = plane + (i + s->top) * line + s->left;
    for (int j = 0; j < reaching; j++, from += n) to[j] = *from;
  }
}

#define TAP(i)             \
  v = w[i];                \
  a += v * from[i];        \
  b += v * from[i + STEP]; \
  d += v * from[i + 2 * STEP]; \
  e += v * from[i + 3 * STEP];
#define TAPS_3 TAP(0) TAP(1) TAP(2)
#define TAPS_5 TAPS_3 TAP(3) TAP(4)
#define TAPS_7 TAPS_5 TAP(5) TAP(6)

#define DEPTHWISE_U8(name, taps, side, step)                                                                   \
  static void name(const uint8_t *x, uint8_t *y, uint8_t *plane, const shape *s, const quantized *c) {         \
    enum { STEP = step };                                                                                      \
    int n = s->channels, line = (s->columns - 1) * STEP + side, lines = (s->rows - 1) * STEP + side;           \
    const int8_t *weights = c->weights;                                                                        \
    memset(plane, c->zero_in, (size_t)(lines * line + 3 * STEP));                                              \
    for (int channel = 0; channel < n; channel++, weights += side * side) {                                    \
      int32_t bias = c->bias[channel];                                                                         \
      float scale = c->scale[channel];                                                                         \
      plane_u8(x + channel, plane, s, lines, line);                                                            \
      for (int i = 0; i < s->rows; i++)                                                                        \
        for (int j = 0; j < s->columns; j += 4) {                                                              \
          const uint8_t *from = plane + i * STEP * line + j * STEP;                                            \
          const int8_t *w = weights;                                                                           \
          uint8_t *to = y + (i * s->columns + j) * n + channel;                                                \
          int32_t a = bias, b = bias, d = bias, e = bias, v;                                                   \
          for (int k = 0; k < side; k++, w += side, from += line) {                                            \
            taps                                                                                               \
          }                                                                                                    \
          *to = (uint8_t)code((float)a * scale, c->low, c->high, c->zero);                                     \
          if (j + 1 < s->columns) to[n] = (uint8_t)code((float)b * scale, c->low, c->high, c->zero);           \
          if (j + 2 < s->columns) to[2 * n] = (uint8_t)code((float)d * scale, c->low, c->high, c->zero);       \
          if (j + 3 < s->columns) to[3 * n] = (uint8_t)code((float)e * scale, c->low, c->high, c->zero);       \
        }                                                                                                      \
    }                                                                                                          \
  }
