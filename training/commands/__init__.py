"""`a2keras prepare`, `train`, `evaluate`, `ablate`, `explain`: their flags, what they print."""
