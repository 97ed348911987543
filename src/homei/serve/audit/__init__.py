"""Who did what: a chain of lines in the warehouse, its head kept apart, and the writer that keeps no answer waiting."""
