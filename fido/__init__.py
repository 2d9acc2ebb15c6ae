"""The project package: wiring, without business rules."""

VERSION = "0.1.0"
