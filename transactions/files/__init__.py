"""A transaction outside the database: its fields, and its form as a line of a file."""
