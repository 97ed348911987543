"""A simulated city with a known truth: the default source."""
