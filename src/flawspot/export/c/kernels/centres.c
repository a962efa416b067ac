/* A vector that is linear in interpolated features and its position, its nearest centres, and the certainty of the
   nearest one. */
typedef struct {
  const piece *pieces;
  int count, side, inputs, outputs, rows, nearest;
  const float *matrix, *along, *across; /* matrix: a row for each input; along, across: a row for each row and column */
  const void *bank;
  int halves;
} centres;

/* e to the x, for x at most 0; the same on every processor. */
static float exponential(float x) {
  float n, r, power;
  uint32_t bits;
  if (x < -87) return 0;
  n = floorf(x * 1.44269504f + 0.5f);
  r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  power = 1 + r * (1 + r * (0.5f + r * (0.16666667f + r * (0.041666667f + r * (0.0083333333f + r * 0.0013888889f)))));
  bits = (uint32_t)(127 + (int)n) << 23;
  memcpy(&x, &bits, sizeof x);
  return power * x;
}

static float between(int at, int side, int length) {
  float place = ((float)at + 0.5f) * (float)length / (float)side - 0.5f;
  return place < 0 ? 0 : place > (float)(length - 1) ? (float)(length - 1) : place;
}

static int interpolated(const piece *pieces, int count, int side, int row, int column, float *vector) {
  float *v = vector;
  for (int p = 0; p < count; p++) {
    const piece *from = pieces + p;
    float y = between(row, side, from->height), x = between(column, side, from->width);
    int top = (int)y, left = (int)x;
    float down = y - (float)top, right = x - (float)left;
    for (int i = 0; i < from->count; i++) {
      float sum = 0;
      for (int corner = 0; corner < 4; corner++) {
        float w = (corner & 2 ? down : 1 - down) * (corner & 1 ? right : 1 - right);
        if (w > 0) sum += w * (from->window == 3 ? averaged : read)(from, top + (corner >> 1), left + (corner & 1), from->chosen[i]);
      }
      *v++ = sum;
    }
  }
  return (int)(v - vector);
}

static void nearest_centres(const centres *c, float *scratch, float *y) {
  float *v = scratch, *q = v + c->inputs, *best = q + c->outputs;
  for (int p = 0; p < c->side * c->side; p++) {
    float certainty = 0;
    size_t at = 0;
    interpolated(c->pieces, c->count, c->side, p / c->side, p % c->side, v);
    for (int j = 0; j < c->outputs; j++)
      q[j] = c->along[p / c->side * c->outputs + j] + c->across[p % c->side * c->outputs + j];
    for (int i = 0; i < c->inputs; i++)
      for (int j = 0; j < c->outputs; j++) q[j] += v[i] * c->matrix[i * c->outputs + j];
    for (int k = 0; k < c->nearest; k++) best[k] = FLT_MAX;
    for (int r = 0; r < c->rows; r++, at += (size_t)c->outputs) {
      float sum = 0;
      int k = c->nearest - 1;
      for (int i = 0; i < c->outputs && sum < best[k];)
        for (int end = c->outputs - i < 16 ? c->outputs : i + 16; i < end; i++) {
          float d = q[i] - stored(c->bank, c->halves, at + (size_t)i);
          sum += d * d;
        }
      if (sum >= best[k]) continue;
      for (; k > 0 && best[k - 1] > sum; k--) best[k] = best[k - 1];
      best[k] = sum;
    }
    for (int k = 0; k < c->nearest; k++) certainty += exponential(sqrtf(best[0]) - sqrtf(best[k]));
    y[p] = sqrtf(best[0]) / certainty;
  }
}
