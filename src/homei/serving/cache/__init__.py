"""Response caching, in memory or in Redis."""
