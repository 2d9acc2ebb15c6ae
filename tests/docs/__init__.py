"""The documentation: each command is run, each link leads somewhere, and the site is whole."""
