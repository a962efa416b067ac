"""Converts convolutional networks to 8-bit integers: ranges from good photographs, and graphs that compute with
them."""
