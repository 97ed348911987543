"""Answers that are asked for again: kept in the service's own memory, or in a Redis that several services share."""
