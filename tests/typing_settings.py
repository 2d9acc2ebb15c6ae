"""Settings for mypy's Django plugin, which reads the models and contacts no server."""

import os

os.environ.setdefault("SECRET_KEY", "for the type checker only " * 2)
os.environ.setdefault("JWT_SIGNING_KEY", "for the type checker only " * 2)
os.environ.setdefault("FERNET_KEYS", "A" * 43 + "=")
os.environ.setdefault("BLIND_INDEX_KEYS", "A" * 43 + "=")
os.environ.setdefault("DATABASE_URL", "postgres://nobody@localhost/none")
os.environ.setdefault("ALLOWED_HOSTS", "localhost")
os.environ.setdefault("REDIS_URL", "redis://localhost/0")

from fido.settings import *  # noqa: F403
