"""What a transaction looks like outside the database: its fields, and as a line of a file."""
