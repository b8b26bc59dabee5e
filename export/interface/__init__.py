"""What programs call, and the commands: `a2keras.export`, `predict`, `timeline`, `benchmark`."""
