"""LiteRT (TFLite): networks in its operations, in floats and integers."""
