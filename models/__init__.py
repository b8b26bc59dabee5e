"""Networks of the paper's tables as Keras builders, their preprocessing and weights."""
