/* Two vectors of n numbers times all rows of the weights, two rows at a time. */
static void rows_u8(const uint8_t *p, const uint8_t *q, uint8_t *y, uint8_t *z, int n, int first, int outputs,
                    const quantized *c) {
  const int8_t *w = c->weights + (size_t)first * (size_t)n;
  const int32_t *bias = c->bias + first;
  const float *scale = c->scale + first;
  for (int o = 0; o < outputs; o += 2) {
    int other = o + 1 < outputs;
    const int8_t *v = w + (other ? n : 0);
    int32_t a = bias[o], b = bias[o + other], d = a, e = b;
    for (int i = 0; i < n; i++) {
      int32_t s = p[i], t = q[i], j = w[i], k = v[i];
      a += s * j;
      b += s * k;
      d += t * j;
      e += t * k;
    }
    y[o] = (uint8_t)code((float)a * scale[o], c->low, c->high, c->zero);
    z[o] = (uint8_t)code((float)d * scale[o], c->low, c->high, c->zero);
    y[o + other] = (uint8_t)code((float)b * scale[o + other], c->low, c->high, c->zero);
    z[o + other] = (uint8_t)code((float)e * scale[o + other], c->low, c->high, c->zero);
    w += 2 * n;
  }
}
