"""The project package: wiring, and no business rule."""
