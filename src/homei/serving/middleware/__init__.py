"""ASGI middleware: request ids, metrics, and limits of concurrency, time and size."""
