"""Answers in the versioned cache, computed by the same code for requests and for warming."""

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
    """A question, and how to compute its answer.

    `question` names everything that the answer depends on besides the user's own data; None means
    that the answer is never cached. `kind` is its label in metrics.
    """

    kind: str
    question: str | None
    make: Callable[[], Body]

    def json(self) -> bytes:
        return json_bytes(self.make())


def find_or_make(view: View | None, answer: Answer) -> tuple[bytes, str]:
    """The answer, and its source: `hit`, `miss` (cached now) or `bypass`."""
    body, source = _found_or_made(view, answer)
    count_answer(answer.kind, source)
    return body, source


def count_answer(kind: str, source: str) -> None:
    CACHED_ANSWERS.labels(kind, source).inc()


def keep_ready(view: View, answer: Answer) -> bool:
    """Compute the answer and cache it; return whether it was cached."""
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
