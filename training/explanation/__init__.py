"""What a network looks at in an example, and whether the maps tell the truth."""
