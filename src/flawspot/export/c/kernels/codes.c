/* A convolution of whole numbers. The zero of its input is folded into the bias. The result is rounded as in ONNX
   Runtime. */
typedef struct {
  const int8_t *weights;
  const int32_t *bias;
  const float *scale;
  float low, high;
  int zero_in, zero;
} quantized;

/* The nearest whole number, halves to even, for numbers below 2^22. After adding 1.5 * 2^23, a float has no bits left
   for a fraction. */
static int32_t rounded(float value) {
  int32_t bits;
  value += 12582912.0f;
  memcpy(&bits, &value, sizeof bits);
  return bits - 0x4B400000;
}

static int32_t code(float value, float low, float high, int zero) {
  return rounded(value < low ? low : value > high ? high : value) + zero;
}
