"""Requests as bytes, made before anything is measured."""

import json
from collections.abc import Iterable
from typing import Any

from benchmarks.service.load import DAY, NUMBER

CLIENTS = 16
Requests = list[list[str]]


def get(token: str, path: str, **headers: str) -> str:
    return _request("GET", path, token, "", headers)


def post(token: str, path: str, body: Any, **headers: str) -> str:
    """In the body, NUMBER becomes a number."""
    text = json.dumps(body).replace(f'"{NUMBER}"', NUMBER)
    return _request("POST", path, token, text, headers)


def lanes(requests: Iterable[str], clients: int = CLIENTS) -> Requests:
    """The requests dealt out to the clients; fewer requests than clients are shared."""
    dealt = list(requests)
    if len(dealt) < clients:
        dealt = [dealt[n % len(dealt)] for n in range(clients)]
    return [dealt[n::clients] for n in range(clients)]


def transaction(**more: Any) -> dict[str, Any]:
    """The body of a create. Both services store its description encrypted."""
    return {
        "transaction_amount": "12.34",
        "transaction_type": "debit",
        "transaction_date": "2026-01-31T12:00:00Z",
        "currency": "USD",
        "description": "Groceries and a newspaper",
        **more,
    }


def _request(method: str, path: str, token: str, body: str, headers: dict[str, str]) -> str:
    lines = {
        "Host": "localhost",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body.encode())),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if method == "GET":
        del lines["Content-Type"], lines["Content-Length"]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"


__all__ = ["CLIENTS", "DAY", "NUMBER", "Requests", "get", "lanes", "post", "transaction"]
