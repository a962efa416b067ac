"""An artifact as ONNX of one fixed shape, in plain operators."""
