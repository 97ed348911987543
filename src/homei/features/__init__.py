"""What needs history: market tables as of each month, built by Spark, looked up when a valuation is asked for."""
