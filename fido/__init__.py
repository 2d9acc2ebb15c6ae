"""The project package: wiring, without business rules."""
