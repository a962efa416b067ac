/* A convolution of whole numbers. The zero of its input is folded into the bias; what it computes is rounded as ONNX
   Runtime rounds it. */
typedef struct {
  const int8_t *weights;
  const int32_t *bias;
  const float *scale;
  float low, high;
  int zero_in, zero;
} quantized;

/* The nearest whole number, of halves the even one; for numbers below 2^22. Added to 1.5 * 2^23 a float has no bits left
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
