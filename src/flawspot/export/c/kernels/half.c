/* Converts a half-precision number to a float. */
static float half(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
  float value = (float)fraction * 5.9604644775390625e-8f; /* 2^-24 */
  uint32_t found;
  if (exponent > 0)
    found = sign | (exponent + 112) << 23 | fraction << 13;
  else {
    memcpy(&found, &value, sizeof found);
    found |= sign;
  }
  memcpy(&value, &found, sizeof value);
  return value;
}
