/* The receptive field of one output of a group, with the code of zero beyond the border. */
static void patch_u8(const uint8_t *x, uint8_t *patch, const shape *s, int row, int column, int first, int zero) {
  int depth = s->channels / s->groups;
  for (int i = 0; i < s->tall; i++)
    for (int j = 0; j < s->wide; j++, patch += depth) {
      int at = row * s->down - s->top + i, beside = column * s->across - s->left + j;
      if (at < 0 || at >= s->height || beside < 0 || beside >= s->width)
        memset(patch, zero, (size_t)depth);
      else
        memcpy(patch, x + ((size_t)at * (size_t)s->width + (size_t)beside) * (size_t)s->channels + first,
               (size_t)depth);
    }
}

static void dense_u8(const uint8_t *x, uint8_t *y, uint8_t *scratch, const shape *s, const quantized *c) {
  int depth = s->channels / s->groups, outputs = s->outputs / s->groups, n = s->tall * s->wide * depth;
  int pixels = s->rows * s->columns;
  for (int i = 0; i < pixels; i += 2) {
    int next = i + 1 < pixels ? i + 1 : i;
    for (int g = 0; g < s->groups; g++) {
      patch_u8(x, scratch, s, i / s->columns, i % s->columns, g * depth, c->zero_in);
      patch_u8(x, scratch + n, s, next / s->columns, next % s->columns, g * depth, c->zero_in);
      rows_u8(scratch, scratch + n, y + i * s->outputs + g * outputs, y + next * s->outputs + g * outputs, n,
              g * outputs, outputs, c);
    }
  }
}
