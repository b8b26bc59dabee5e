"""What programs and the commands call: `train`, `cross_validate`, `evaluate`, `explain`."""
