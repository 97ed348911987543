"""Model evaluation: ratio study, equity, fairness, coverage, drift and verdicts."""
