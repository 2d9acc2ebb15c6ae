"""Answers that are kept in the versioned cache: the same to a request and to whoever warms it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fido.lib.cache import versioned_cache
from fido.lib.cache.versioned_cache import View
from fido.lib.values.metrics import CACHED_ANSWERS
from fido.lib.values.strict_json import json_bytes

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A question, and how its answer is made.

    `question` names all that the answer depends on besides the asking user's own data; None is
    never kept. `kind` is what metrics count it as.
    """

    kind: str
    question: str | None
    make: Callable[[], Body]

    def json(self) -> bytes:
        return json_bytes(self.make())


def find_or_make(view: View | None, answer: Answer) -> tuple[bytes, str]:
    """The answer, and where it came from: `hit`, `miss` (it is kept now) or `bypass`."""
    body, source = _found_or_made(view, answer)
    CACHED_ANSWERS.labels(answer.kind, source).inc()
    return body, source


def keep_ready(view: View, answer: Answer) -> bool:
    """Makes the answer and keeps it; whether it is kept now."""
    return answer.question is not None and versioned_cache.keep(
        view, answer.question, answer.json()
    )


def _found_or_made(view: View | None, answer: Answer) -> tuple[bytes, str]:
    if answer.question is None or view is None or view.writer_stands:
        return answer.json(), "bypass"
    kept = versioned_cache.find(view, answer.question)
    if kept is not None:
        return kept, "hit"
    body = answer.json()
    return body, "miss" if versioned_cache.keep(view, answer.question, body) else "bypass"
