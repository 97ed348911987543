"""A simulated city with a known truth: the embedded default source."""
