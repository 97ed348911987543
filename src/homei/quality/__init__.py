"""What may come in: contracts, quarantine, the data-quality report."""
