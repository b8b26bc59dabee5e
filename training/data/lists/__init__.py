"""Lists of files with their classes: finding their columns, their rows, their files."""
