"""Artefacts timed by turns, each in a process of its own."""
