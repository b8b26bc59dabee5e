"""What programs call, and the commands: `a2keras.train`, `evaluate`, `explain`."""
