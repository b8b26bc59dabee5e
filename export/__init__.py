"""Artefacts that compute the same as their model, and prediction from them."""
