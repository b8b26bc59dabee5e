"""Records of TensorFlow Datasets: what there is of them, and reading them."""
