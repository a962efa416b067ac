"""The benchmark: trains and measures a grid of detectors, stores the results and draws them as the PaSTe paper does."""
