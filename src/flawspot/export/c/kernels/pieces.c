/* Channels of one tensor, of floats or codes, at each position of a grid. With window 3, means of 3 x 3 positions. */
typedef struct {
  const float *x;
  const uint8_t *codes;
  float scale;
  int zero, height, width, channels, count, window;
  const uint16_t *chosen;
  const float *units, *shifts; /* for each channel, or NULL */
} piece;

static float read(const piece *from, int row, int column, int channel) {
  int at = (row * from->width + column) * from->channels + channel;
  float value = from->codes ? (float)(from->codes[at] - from->zero) * from->scale : from->x[at];
  return from->units ? value * from->units[channel] + from->shifts[channel] : value;
}

static float averaged(const piece *from, int row, int column, int channel) {
  float sum = 0;
  for (int i = row > 0 ? row - 1 : 0; i <= row + 1 && i < from->height; i++)
    for (int j = column > 0 ? column - 1 : 0; j <= column + 1 && j < from->width; j++) sum += read(from, i, j, channel);
  return sum / 9;
}
