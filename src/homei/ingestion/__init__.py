"""Source records: fetched from feeds, landed and mapped to canonical columns."""
