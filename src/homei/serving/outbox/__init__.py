"""The outbox: entries are written to disk first and delivered to the warehouse later, in order."""
