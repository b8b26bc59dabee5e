"""Models on disk of any kind and origin, looked at, and run apart."""
