"""How gunicorn serves Fido, in `make run` and in containers."""
