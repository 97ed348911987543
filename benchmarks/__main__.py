"""Runs all benchmarks in sequence (`make bench`)."""

from benchmarks import cache, comparables, search, serve, sources, stages, tuning, warehouse

stages.main()
sources.main()
comparables.main()
serve.main()
cache.main()
tuning.main()
warehouse.main()
search.main()
