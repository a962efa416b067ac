static void look_up_u8(const uint8_t *rgb, int pixels, uint8_t *y, const uint8_t *values) {
  for (int i = 0; i < pixels; i++, rgb += 3, y += 3)
    for (int c = 0; c < 3; c++) y[c] = values[256 * c + rgb[c]];
}
