"""The benchmark: a grid of detectors trained, measured, kept in a store and drawn as the PaSTe paper draws them."""
