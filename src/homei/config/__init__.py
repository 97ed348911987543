"""The parameters of a run: composed, checked and typed."""
