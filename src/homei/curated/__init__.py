"""Curated tables for analysts: properties, customers, the market, property features and data quality."""
