"""The HTTP routes, a module for each noun, with a `router` or a function that makes one."""
