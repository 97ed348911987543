"""Packaged models: package, promote, roll back, and experiment results."""
