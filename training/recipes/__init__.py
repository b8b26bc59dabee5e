"""Recipes: one frozen record each."""
