"""The image and the compose file, built and run: `make test-containers`."""
