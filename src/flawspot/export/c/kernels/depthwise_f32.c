/* One channel at a time, copied with its border into `plane`, so that y may overwrite x. */
static void depthwise_f32(const float *x, float *y, float *plane, const shape *s, const float *w, const float *bias,
                          float low, float high) {
  int n = s->channels, line = (s->columns - 1) * s->across + s->wide, lines = (s->rows - 1) * s->down + s->tall;
  int lasting = s->height < lines - s->top ? s->height : lines - s->top;
  int reaching = s->width < line - s->left ? s->width : line - s->left;
  for (int i = 0; i < lines * line; i++) plane[i] = 0;
  for (int c = 0; c < n; c++, w += s->tall * s->wide) {
    for (int i = 0; i < lasting; i++) {
      const float *from = x + (size_t)i * (size_t)(s->width * n) + c;
      float *to = plane + (i + s->top) * line + s->left;
      for (int j = 0; j < reaching; j++, from += n) to[j] = *from;
    }
    for (int i = 0; i < s->rows; i++)
      for (int j = 0; j < s->columns; j++) {
        const float *from = plane + i * s->down * line + j * s->across, *k = w;
        float sum = bias[c];
        for (int a = 0; a < s->tall; a++, from += line)
          for (int b = 0; b < s->wide; b++) sum += from[b] * *k++;
        y[(i * s->columns + j) * n + c] = bounded(sum, low, high);
      }
  }
}
