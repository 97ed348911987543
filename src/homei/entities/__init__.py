"""Which property and which sale a record is about, and whether a sale shows a market price."""
