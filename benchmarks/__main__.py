"""All benchmarks, one after the other: `make bench`."""

from benchmarks import serve, sources, stages

stages.main()
sources.main()
serve.main()
