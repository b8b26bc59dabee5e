"""A step of training: the network, what of it learns and how fast, on which devices."""
