"""All benchmarks, one after the other: `make bench`."""

from benchmarks import comparables, search, serve, sources, stages, tuning, warehouse

stages.main()
sources.main()
comparables.main()
serve.main()
tuning.main()
warehouse.main()
search.main()
