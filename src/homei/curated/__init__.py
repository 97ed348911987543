"""What analysts and BI tools read: properties, customers and markets as of a day, and the data dictionary."""
