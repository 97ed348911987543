"""The prediction log and its metrics."""
