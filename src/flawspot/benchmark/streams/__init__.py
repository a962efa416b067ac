"""Streams: categories or conditions that arrive one after the other, and what a detector does about them."""
