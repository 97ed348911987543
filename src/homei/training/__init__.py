"""The valuation model: training recipe, tuning, fitting, intervals and inference."""
