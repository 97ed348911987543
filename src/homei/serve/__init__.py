"""What answers: the BentoML service, its routes and its schemas."""
