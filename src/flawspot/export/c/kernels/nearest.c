/* One resolution of a bank: rows relative to the mean, and for each its row in the next coarser level. */
typedef struct {
  const piece *pieces;
  int count, side, rows, channels;
  const float *mean, *steps; /* steps: for rows in whole numbers, or NULL */
  const void *bank;
  int halves;
  const uint16_t *parents;
} level;

static void centred(const level *l, int row, int column, float *vector) {
  gathered(l->pieces, l->count, l->side, row, column, vector);
  for (int i = 0; i < l->channels; i++) vector[i] -= l->mean[i];
}

/* |v - row|^2 plus `sum`. It may stop at any number that is not below `best`, which is checked after every 16 terms. */
#define DISTANCE(element)                              \
  for (int i = 0; i < n && sum < best;)                \
    for (int end = n - i < 16 ? n : i + 16; i < end; i++) { \
      float d = v[i] - (element);                      \
      sum += d * d;                                    \
    }

static float distance(const level *l, const float *v, int row, float sum, float best) {
  int n = l->channels;
  size_t at = (size_t)row * (size_t)n;
  if (l->steps) {
    const int8_t *own = (const int8_t *)l->bank + at;
    DISTANCE((float)own[i] * l->steps[i])
  } else if (l->halves) {
    const uint16_t *own = (const uint16_t *)l->bank + at;
    DISTANCE(half(own[i]))
  } else {
    const float *own = (const float *)l->bank + at;
    DISTANCE(own[i])
  }
  return sum;
}

/* All positions of the finest grid within a cell of a coarser one. `scratch` has the cell's vector and its distances to
   all rows, followed by those of the finer levels. `above` has the distances of the cell around it. The nearest row at
   one position is the first guess at the next. */
static void descend(const level *levels, int l, int row, int column, float *scratch, const float *above, int *guess,
                    float *y) {
  const level *own = levels + l;
  float *table = scratch + own->channels;
  centred(own, row, column, scratch);
  if (l > 0) {
    int factor = levels[l - 1].side / own->side;
    for (int r = 0; r < own->rows; r++)
      table[r] = distance(own, scratch, r, above ? above[own->parents[r]] : 0, FLT_MAX);
    for (int i = 0; i < factor; i++)
      for (int j = 0; j < factor; j++)
        descend(levels, l - 1, row * factor + i, column * factor + j, table + own->rows, table, guess, y);
  } else {
    float best = FLT_MAX;
    for (int r = -1; r < own->rows; r++) {
      int at = r < 0 ? *guess : r;
      float sum = above ? above[own->parents[at]] : 0;
      if (sum >= best) continue;
      sum = distance(own, scratch, at, sum, best);
      if (sum < best) {
        best = sum;
        *guess = at;
      }
    }
    y[row * own->side + column] = sqrtf(best);
  }
}

static void nearest(const level *levels, int count, float *scratch, float *y) {
  int side = levels[count - 1].side, guess = 0;
  for (int i = 0; i < side; i++)
    for (int j = 0; j < side; j++) descend(levels, count - 1, i, j, scratch, NULL, &guess, y);
}
