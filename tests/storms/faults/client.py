"""One request to one web host, and what its result means for a write."""

import contextlib
import http.client
import json
from dataclasses import dataclass, field
from typing import Any

from tests.storms.faults.history import Fate

# Longer than the service takes for any answer; docs/waits.md has what it waits for.
ANSWER_SECONDS = 30
# The contract says of these that nothing was done.
NOTHING_DONE = {"overloaded", "busy"}


@dataclass(frozen=True)
class Answer:
    """`status` is 0 if there was no answer, and -1 if the request was not even sent."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        """Of the problem that it tells."""
        kind = self.headers.get("content-type", "")
        return str(self.json["code"]) if kind.startswith("application/problem+json") else ""

    @property
    def fate(self) -> Fate:
        if 200 <= self.status < 300:
            return Fate.ACKNOWLEDGED
        if self.status == -1 or 400 <= self.status < 500 or self.code in NOTHING_DONE:
            return Fate.REFUSED
        return Fate.UNKNOWN

    @property
    def outcome(self) -> str:
        named = {0: "no answer", -1: "no connection"}
        return named.get(self.status) or " ".join([str(self.status), self.code]).strip()

    @property
    def complaint(self) -> str:
        """What is wrong with it in any case; nothing if it may happen."""
        if self.status == 503:
            return "" if self.headers.get("retry-after") else "503 without Retry-After"
        if self.status >= 400 and self.status not in {409, 429}:
            return f"{self.outcome}: {self.content[:300].decode(errors='replace')}"
        return ""


NOT_SENT, UNANSWERED = Answer(-1), Answer(0)


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body)
    with contextlib.closing(client):
        try:
            client.connect()
        except OSError:
            return NOT_SENT
        try:
            client.request(method, f"/api/v1{path}", data, named)
            found = client.getresponse()
            content = found.read()
        except (OSError, http.client.HTTPException):
            return UNANSWERED
        lower = {name.lower(): value for name, value in found.getheaders()}
        return Answer(found.status, lower, content)
