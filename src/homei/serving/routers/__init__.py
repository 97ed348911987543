"""The HTTP routes, one module a noun; each has a `router`, or a function that makes one for a contract."""
