/* Resizes any photograph to FLAWSPOT_SIZE x FLAWSPOT_SIZE: bilinear and antialiased, as in the detector's graph. Unlike
   in the graph, the result is rounded to whole grey levels. */
typedef struct {
  int first, last;
  float centre, reach;
} span;

static span seen(int at, int length) {
  float scale = (float)length / (float)FLAWSPOT_SIZE;
  span s;
  s.centre = ((float)at + 0.5f) * scale - 0.5f;
  s.reach = scale > 1 ? scale : 1;
  s.first = (int)ceilf(s.centre - s.reach);
  s.last = (int)floorf(s.centre + s.reach);
  if (s.first < 0) s.first = 0;
  if (s.last > length - 1) s.last = length - 1;
  return s;
}

static float weight(const span *s, int at) {
  float w = 1 - fabsf((float)at - s->centre) / s->reach;
  return w > 0 ? w : 0;
}

void flawspot_resize(const uint8_t *rgb, int height, int width, uint8_t *resized) {
  static float line[3 * FLAWSPOT_SIZE];
  for (int y = 0; y < FLAWSPOT_SIZE; y++) {
    span rows = seen(y, height);
    float total = 0;
    for (int i = 0; i < 3 * FLAWSPOT_SIZE; i++) line[i] = 0;
    for (int r = rows.first; r <= rows.last; r++) {
      const uint8_t *row = rgb + (size_t)r * (size_t)width * 3;
      float w = weight(&rows, r);
      if (w == 0) continue;
      total += w;
      for (int x = 0; x < FLAWSPOT_SIZE; x++) {
        span columns = seen(x, width);
        float sum = 0, red = 0, green = 0, blue = 0;
        for (int c = columns.first; c <= columns.last; c++) {
          const uint8_t *pixel = row + (size_t)c * 3;
          float v = weight(&columns, c);
          sum += v;
          red += v * (float)pixel[0];
          green += v * (float)pixel[1];
          blue += v * (float)pixel[2];
        }
        line[3 * x] += w * (red / sum);
        line[3 * x + 1] += w * (green / sum);
        line[3 * x + 2] += w * (blue / sum);
      }
    }
    for (int i = 0; i < 3 * FLAWSPOT_SIZE; i++) *resized++ = (uint8_t)(line[i] / total + 0.5f);
  }
}
