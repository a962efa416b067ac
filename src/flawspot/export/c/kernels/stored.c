/* Reads a number from a table of floats or of half-precision numbers. */
static float stored(const void *table, int halves, size_t at) {
  return halves ? half(((const uint16_t *)table)[at]) : ((const float *)table)[at];
}
