"""Record linkage: properties, duplicate sales and sale validation."""
