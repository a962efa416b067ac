/* A number of a table of floats, or of halves. */
static float stored(const void *table, int halves, size_t at) {
  return halves ? half(((const uint16_t *)table)[at]) : ((const float *)table)[at];
}
