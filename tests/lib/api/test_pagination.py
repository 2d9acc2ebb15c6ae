"""Keyset pages: every row once, in order, whatever is written between two pages."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from fido.lib.api.pagination import Cursor
from tests.client import ApiClient
from tests.factories import record
from transactions import operations
from transactions.models import Transaction

START = datetime(2026, 1, 1, tzinfo=UTC)
ROW_ID = "019c0000-0000-7000-8000-000000000001"


def with_ties(client: ApiClient, count: int) -> None:
    """Rows, many of which share a date, recorded out of order."""
    assert client.user
    days = [number % 4 for number in range(count)]
    random.Random(7).shuffle(days)
    for day in days:
        record(client.user, transaction_date=START + timedelta(days=day))


def in_order(order: str) -> list[str]:
    sign = "-" if order.startswith("-") else ""
    rows = Transaction.objects.order_by(f"{sign}transaction_date", f"{sign}id")
    return [str(pk) for pk in rows.values_list("id", flat=True)]


def walk(
    client: ApiClient, page: Any, link: str, between: Callable[[], Any] = lambda: None
) -> list[list[str]]:
    """The ids of this page and of all pages after `link`."""
    pages = [ids(page)]
    while page[link]:
        between()
        page = client.get(page[link]).json()
        pages.append(ids(page))
    return pages


def flat(pages: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["results"]]


@pytest.mark.parametrize("order", ["transaction_date", "-transaction_date"])
@pytest.mark.parametrize("limit", [1, 3, 4, 12, 200])
def test_a_walk_there_and_back_sees_every_row_once(ada: ApiClient, order: str, limit: int) -> None:
    with_ties(ada, 12)
    expected = in_order(order)

    first = ada.get("/transactions", order=order, limit=limit).json()
    there = walk(ada, first, "next")
    assert flat(there) == expected
    assert first["previous"] is None
    assert [len(page) for page in there[:-1]] == [limit] * (len(there) - 1)

    page = first
    while page["next"]:
        page = ada.get(page["next"]).json()
    back = walk(ada, page, "previous")
    assert flat(reversed(back)) == expected


def test_rows_that_stay_are_seen_once_while_others_come_and_go(ada: ApiClient) -> None:
    with_ties(ada, 30)
    chance = random.Random(11)
    doomed = set(chance.sample(in_order("-transaction_date"), 10))
    stay = [pk for pk in in_order("-transaction_date") if pk not in doomed]
    waiting = list(doomed)

    def meddle() -> None:
        if waiting:
            operations.delete(row=Transaction.objects.get(pk=waiting.pop()))
        record(ada.user, transaction_date=START + timedelta(days=chance.randrange(4)))  # type: ignore[arg-type]

    seen = flat(walk(ada, ada.get("/transactions", limit=4).json(), "next", meddle))

    assert len(seen) == len(set(seen))
    assert [pk for pk in seen if pk in stay] == stay


def test_links_keep_the_filters(ada: ApiClient) -> None:
    for kind in ("credit", "debit") * 3:
        record(ada.user, transaction_type=kind)  # type: ignore[arg-type]

    page = ada.get("/transactions", transaction_type="debit", limit=2).json()
    rest = ada.get(page["next"]).json()

    assert [row["transaction_type"] for row in page["results"] + rest["results"]] == ["debit"] * 3
    assert rest["next"] is None


def test_a_cursor_of_another_users_history_shows_none_of_it(ada: ApiClient, ben: ApiClient) -> None:
    with_ties(ada, 4)
    link = ada.get("/transactions", limit=1).json()["next"]

    assert ben.get(link).json()["results"] == []


def test_the_last_row_deleted_under_a_cursor_ends_the_walk(ada: ApiClient) -> None:
    with_ties(ada, 2)
    link = ada.get("/transactions", limit=1).json()["next"]
    for row in Transaction.objects.all():
        operations.delete(row=row)

    assert ada.get(link).json() == {"results": [], "next": None, "previous": None}


def cursor(*values: str) -> str:
    return Cursor(values).encode()


TIME = "2026-01-31T00:00:00Z"
NO_CURSORS = [
    "",
    "x",
    "é",
    "\0",
    "W10",
    "bnVsbA",
    "MQ",
    "Int9",
    "e30",
    "IiI",
    "x" * 3000,
    "=",
    "////",
]
NO_CURSORS += [cursor(), cursor(TIME), cursor(TIME, ROW_ID, "x"), cursor(ROW_ID, TIME)]
NO_CURSORS += [cursor("2026-01-31", ROW_ID), cursor("2026-01-31T00:00:00", ROW_ID)]
NO_CURSORS += [cursor("0001-01-01T00:00:00+14:00", ROW_ID), cursor("infinity", ROW_ID)]
NO_CURSORS += [cursor(TIME, "1"), cursor(TIME, "\0"), cursor("\ud800", ROW_ID), cursor(TIME, "")]
NO_CURSORS += [cursor("9999-12-31T23:59:59-14:00", ROW_ID), cursor(TIME, ROW_ID.replace("-", ""))]


@pytest.mark.parametrize("text", NO_CURSORS, ids=ascii)
def test_an_invalid_cursor_is_refused(ada: ApiClient, text: str) -> None:
    answer = ada.get("/transactions", cursor=text)

    assert answer.status_code == 400
    assert [(e["parameter"], e["code"]) for e in answer.json()["errors"]] == [("cursor", "invalid")]


@pytest.mark.parametrize("text", ["x", " 1", "1_0", "１", "1.0", "", "9" * 300, TIME, str(2**63)])
def test_a_cursor_of_users_holds_one_id(staff: ApiClient, text: str) -> None:
    assert staff.get("/users", cursor=cursor(text)).status_code == 400
    assert staff.get("/users", cursor=cursor("0")).status_code == 200


@pytest.mark.parametrize("position", range(0, 100, 7))
def test_a_cursor_with_a_flipped_character_is_never_a_500(ada: ApiClient, position: int) -> None:
    text = cursor(TIME, ROW_ID)
    assert ada.get("/transactions", cursor=text).status_code == 200
    place = position % len(text)
    flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]

    assert ada.get("/transactions", cursor=flipped).status_code in {200, 400}


@pytest.mark.parametrize(
    ("limit", "status"),
    [("1", 200), ("200", 200), ("0", 400), ("201", 400), ("-1", 400), ("x", 400), ("", 400)],
)
def test_a_page_has_1_to_200_rows(ada: ApiClient, limit: str, status: int) -> None:
    assert ada.get("/transactions", limit=limit).status_code == status


def test_fifty_rows_are_the_default(ada: ApiClient) -> None:
    with_ties(ada, 51)

    assert len(ada.get("/transactions").json()["results"]) == 50
