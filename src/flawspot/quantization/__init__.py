"""Networks of convolutions in 8-bit integers: ranges found on good photographs, and graphs that compute with them."""
