"""Rows of networks, trained and tested alike: what attention blocks add, and what they cost."""
