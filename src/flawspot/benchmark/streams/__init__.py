"""Streams: categories or conditions that arrive one after the other, and strategies of learning from them."""
