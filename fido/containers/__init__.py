"""What only a container needs: its web server, its health checks, and its build steps."""
