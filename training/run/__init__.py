"""A run: its directory, its loop, its checkpoints, what it leaves."""
