"""`a2keras export`, `predict` and `benchmark`: their flags and what they print."""
