"""What an answer means for a write, and which answers are wrong in any case."""

import pytest

from tests.storms.faults.client import NOT_SENT, UNANSWERED, Answer
from tests.storms.faults.history import Fate


def problem(status: int, code: str = "", **headers: str) -> Answer:
    told = {"content-type": "application/problem+json"} | headers
    return Answer(status, told, b'{"code": "%s"}' % code.encode())


LATER = {"retry-after": "2"}


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (Answer(201), Fate.ACKNOWLEDGED),
        (problem(409, "out-of-order"), Fate.REFUSED),
        (problem(503, "busy"), Fate.REFUSED),
        (problem(503, "overloaded"), Fate.REFUSED),
        (problem(503, "database-unavailable"), Fate.UNKNOWN),
        (Answer(500), Fate.UNKNOWN),
        (NOT_SENT, Fate.REFUSED),
        (UNANSWERED, Fate.UNKNOWN),
    ],
)
def test_only_a_refusal_is_certain_that_nothing_was_done(answer: Answer, fate: Fate) -> None:
    assert answer.fate is fate


@pytest.mark.parametrize(
    ("answer", "is_wrong"),
    [
        (Answer(200), False),
        (problem(409, "out-of-order"), False),
        (problem(503, "busy", **LATER), False),
        (problem(503, "busy"), True),
        (problem(401, "wrong-token"), True),
        (problem(500), True),
        (problem(502, **LATER), True),
        (NOT_SENT, False),
        (UNANSWERED, False),
    ],
)
def test_an_answer_that_nothing_excuses_is_a_complaint(answer: Answer, is_wrong: bool) -> None:
    assert bool(answer.complaint) is is_wrong
