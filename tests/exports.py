"""Exports, as a client reads them."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

from accounts.models import User
from tests.client import ApiClient

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXPORT = "/transactions/export"


def user_of(client: ApiClient) -> User:
    assert client.user
    return client.user


def body(client: ApiClient, **parameters: Any) -> str:
    """The complete file."""
    response = client.get(EXPORT, **parameters)
    assert response.status_code == 200, response.content
    return str(response.getvalue().decode())


def cells(client: ApiClient, **parameters: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(client, **parameters), newline="")))


def objects(client: ApiClient, **parameters: Any) -> list[dict[str, Any]]:
    lines = body(client, format="ndjson", **parameters).splitlines()
    return [json.loads(line) for line in lines]


def given_to(heir: ApiClient, exported: bytes, owner: ApiClient) -> bytes:
    """The file with another user in its column."""
    pattern = rb'(^[0-9a-f-]{36},|"user_id":\s?)%d,' % owner.user_id
    return re.sub(pattern, rb"\g<1>%d," % heir.user_id, exported, flags=re.MULTILINE)
