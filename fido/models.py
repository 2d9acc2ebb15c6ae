"""Where Django looks for the tables of what knows no app."""

from fido.lib.idempotency import IdempotencyKey

__all__ = ["IdempotencyKey"]
