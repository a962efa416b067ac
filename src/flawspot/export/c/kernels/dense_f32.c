/* The receptive field of one output of a group, with zeros beyond the border. */
static void patch_f32(const float *x, float *patch, const shape *s, int row, int column, int first) {
  int depth = s->channels / s->groups;
  for (int i = 0; i < s->tall; i++)
    for (int j = 0; j < s->wide; j++, patch += depth) {
      int at = row * s->down - s->top + i, beside = column * s->across - s->left + j;
      if (at < 0 || at >= s->height || beside < 0 || beside >= s->width)
        for (int c = 0; c < depth; c++) patch[c] = 0;
      else
        memcpy(patch, x + ((size_t)at * (size_t)s->width + (size_t)beside) * (size_t)s->channels + first,
               (size_t)depth * sizeof(float));
    }
}

static void dense_f32(const float *x, float *y, float *scratch, const shape *s, const float *w, const float *bias,
                      float low, float high) {
  int depth = s->channels / s->groups, outputs = s->outputs / s->groups, n = s->tall * s->wide * depth;
  int padded = (outputs + 3) / 4 * 4, pixels = s->rows * s->columns;
  for (int i = 0; i < pixels; i += 2) {
    int next = i + 1 < pixels ? i + 1 : i;
    for (int g = 0; g < s->groups; g++) {
      patch_f32(x, scratch, s, i / s->columns, i % s->columns, g * depth);
      patch_f32(x, scratch + n, s, next / s->columns, next % s->columns, g * depth);
      rows_f32(scratch, scratch + n, y + i * s->outputs + g * outputs, y + next * s->outputs + g * outputs, n, outputs,
               w + g * padded * n, bias + g * padded, low, high);
    }
  }
}
