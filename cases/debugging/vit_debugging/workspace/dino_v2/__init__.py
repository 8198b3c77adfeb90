"""A Vision Transformer with register tokens, as DINOv2 uses it."""
