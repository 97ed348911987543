"""Data contracts, quarantine and the data-quality report."""
