"""Data, recipes, strategies, the run, and its evaluation."""
