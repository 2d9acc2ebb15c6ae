"""What every process of the service sets up: logs, database connections, a liveness file."""
