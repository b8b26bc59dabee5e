"""`a2keras summary`, `convert`, `weights` and `tables`: their flags and what they print."""
