"""The SavedModel for model servers: image files in, names of classes out, in one graph."""
