"""All benchmarks, one after the other: `make bench`."""

from benchmarks import serve, stages

stages.main()
serve.main()
