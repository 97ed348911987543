"""One module a kind of feed, and what connectors share."""
