"""Authentication and authorisation by OAuth 2.0 client credentials."""
