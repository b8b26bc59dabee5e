"""How good a run is on examples that it has not seen, and what it takes to judge the numbers."""
