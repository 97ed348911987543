"""The stage graph: its registry, notebook execution, verification and lineage."""
