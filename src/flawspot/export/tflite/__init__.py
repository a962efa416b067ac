"""An artifact as a TensorFlow Lite file."""
