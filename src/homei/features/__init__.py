"""Features from market history, built by Spark and looked up by the service."""
