"""Calls to other people's servers: bounded, and safe from SSRF."""
