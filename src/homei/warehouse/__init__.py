"""Published data and service records in PostgreSQL or SQLite: tables, migrations, loading and queries."""
