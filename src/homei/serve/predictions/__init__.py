"""What was answered: a line of each valuation for the warehouse, by way of the disk, and figures for Prometheus."""
