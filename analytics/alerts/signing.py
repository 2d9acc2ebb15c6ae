"""Secrets and signatures of webhooks, by the Standard Webhooks scheme."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks.webhooks import Webhook

SECRET_BYTES = 32


def new_secret() -> str:
    """In the format that receivers configure: `whsec_` and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def headers(id_: str, at: datetime, body: str, keys: Iterable[str]) -> dict[str, str]:
    """The three headers, with a signature by each of the secrets; a receiver knows one of them."""
    signatures = [Webhook(key).sign(msg_id=id_, timestamp=at, data=body) for key in keys]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
