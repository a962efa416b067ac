/* Channels of one tensor at each place of a grid; of floats, or else of codes. */
typedef struct {
  const float *x;
  const uint8_t *codes;
  float scale;
  int zero, height, width, channels, count;
  const uint16_t *chosen;
} piece;

static int gathered(const piece *pieces, int count, int side, int row, int column, float *vector) {
  float *v = vector;
  for (int p = 0; p < count; p++) {
    const piece *from = pieces + p;
    int at = row * from->height / side, beside = column * from->width / side;
    int first = (at * from->width + beside) * from->channels;
    if (from->codes)
      for (int i = 0; i < from->count; i++)
        *v++ = (float)(from->codes[first + from->chosen[i]] - from->zero) * from->scale;
    else
      for (int i = 0; i < from->count; i++) *v++ = from->x[first + from->chosen[i]];
  }
  return (int)(v - vector);
}
