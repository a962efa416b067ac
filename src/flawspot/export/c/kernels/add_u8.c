/* An addition of codes. The result is that of dequantizing, adding and quantizing. */
typedef struct {
  float first, second, made;
  int zero_first, zero_second, zero;
  float low, high;
} sum_of;

static void add_u8(const uint8_t *a, const uint8_t *b, uint8_t *y, int n, const sum_of *s) {
  for (int i = 0; i < n; i++) {
    float value = (float)(a[i] - s->zero_first) * s->first + (float)(b[i] - s->zero_second) * s->second;
    y[i] = (uint8_t)code(value / s->made, s->low, s->high, s->zero);
  }
}
