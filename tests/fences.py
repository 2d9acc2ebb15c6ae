"""What the write fence tells Redis, and whether a writer is registered."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from fido.lib.cache import versioned_cache

Step = tuple[str, int, bool]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Each entry and exit: which, whose, and whether inside a database transaction."""
    taken: list[Step] = []

    def watched(step: str, take: Callable[..., None], user_id: int, *more: Any) -> None:
        taken.append((step, user_id, connection.in_atomic_block))
        take(user_id, *more)

    for step in ("_enter", "_leave"):
        take = getattr(versioned_cache, step)
        monkeypatch.setattr(versioned_cache, step, partial(watched, step.strip("_"), take))
    return taken


def writer_stands(user_id: int) -> bool:
    view = versioned_cache.look(user_id)
    assert view
    return view.writer_stands
