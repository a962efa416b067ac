/* a and b in steps of the result, and `fixed`, which is what their zeros and its own come to. */
static void add_u8(const uint8_t *a, const uint8_t *b, uint8_t *y, int n, float first, float second, float fixed,
                   float low, float high) {
  for (int i = 0; i < n; i++) y[i] = (uint8_t)code(fixed + (float)a[i] * first + (float)b[i] * second, low, high, 0);
}
