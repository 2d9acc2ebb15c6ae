"""Django's PostgreSQL backend, whose waits all end. See docs/adr/0022-bounded-waits.md."""
