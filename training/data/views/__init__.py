"""Random views of training examples, functions of (seed, epoch, position)."""
