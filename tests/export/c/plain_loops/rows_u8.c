static void rows_u8(const uint8_t *p, const uint8_t *q, uint8_t *y, uint8_t *z, int n, int first, int outputs,
                    const quantized *c) {
  for (int side = 0; side < (y == z ? 1 : 2); side++) {
    const uint8_t *from = side ? q : p;
    uint8_t *to = side ? z : y;
    const int8_t *w = c->weights + first * n;
    for (int o = 0; o < outputs; o++, w += n) {
      int32_t sum = c->bias[first + o];
      for (int i = 0; i < n; i++) sum += from[i] * w[i];
      to[o] = (uint8_t)code((float)sum * c->scale[first + o], c->low, c->high, c->zero);
    }
  }
}
