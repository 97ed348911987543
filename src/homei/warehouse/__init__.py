"""The warehouse: what a service and its readers ask, in SQLite or PostgreSQL, published from the lake."""
