/* A map of height x width, enlarged. Row y of the result is the weighted sum of `tall` rows from first_row[y] on. Each
   pixel of a row is such a sum of `wide` numbers. */
typedef struct {
  const float *x;
  int width, tall, wide;
  const uint16_t *first_row, *first_column;
  const float *rows, *columns;
} enlarged;

/* The anomaly map, which is the product of enlarged maps, and its maximum; NaN if any pixel is NaN. */
static float product(const enlarged *factors, int count, float *lines, float *map) {
  float highest = -FLT_MAX;
  for (int y = 0; y < FLAWSPOT_SIZE; y++) {
    float *line = lines;
    for (int f = 0; f < count; f++) {
      const enlarged *e = factors + f;
      const float *from = e->x + e->first_row[y] * e->width, *w = e->rows + y * e->tall;
      for (int j = 0; j < e->width; j++) {
        float sum = 0;
        for (int t = 0; t < e->tall; t++) sum += w[t] * from[t * e->width + j];
        line[j] = sum;
      }
      line += e->width;
    }
    for (int x = 0; x < FLAWSPOT_SIZE; x++) {
      float value = 0;
      line = lines;
      for (int f = 0; f < count; f++) {
        const enlarged *e = factors + f;
        const float *from = line + e->first_column[x], *w = e->columns + x * e->wide;
        float sum = 0;
        for (int t = 0; t < e->wide; t++) sum += w[t] * from[t];
        value = f ? value * sum : sum;
        line += e->width;
      }
      if (!(value <= highest) && highest == highest) highest = value;
      if (map) map[y * FLAWSPOT_SIZE + x] = value;
    }
  }
  return highest;
}
