"""Builds and runs the image and the compose file: `make test-containers`."""
