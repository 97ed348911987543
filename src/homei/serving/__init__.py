"""The HTTP service: a FastAPI app that BentoML runs, its clients and its records."""
