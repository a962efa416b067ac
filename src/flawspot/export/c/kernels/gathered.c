static int gathered(const piece *pieces, int count, int side, int row, int column, float *vector) {
  float *v = vector;
  for (int p = 0; p < count; p++) {
    const piece *from = pieces + p;
    int at = row * from->height / side, beside = column * from->width / side;
    for (int i = 0; i < from->count; i++)
      *v++ = (from->window == 3 ? averaged : read)(from, at, beside, from->chosen[i]);
  }
  return (int)(v - vector);
}
