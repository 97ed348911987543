"""What learns: split, estimators, tuning, training, intervals, the ratio study, packaging."""
