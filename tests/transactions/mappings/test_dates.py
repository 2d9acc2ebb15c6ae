"""Formats of dates, and what they read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.mappings import dates
from transactions.statements.values import Malformed

FORMATS = ["%d.%m.%Y", "%m/%d/%y", "%Y%m%d", "%d %b %Y", "%Y-%m-%dT%H:%M:%S%z", "%d.%m.%Y %I:%M %p"]
NO_FORMATS = [
    "",
    "%d.%m",
    "%d.%d.%m.%Y",
    "%d.%m.%Y%y",
    "%d.%m.%Y %j",
    "%c",
    "%d.%m.%Y%",
    "%m.%b.%d.%Y",
]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_format_states_a_day_a_month_and_a_year(format_: str) -> None:
    assert dates.is_format(format_)


@pytest.mark.parametrize("format_", NO_FORMATS)
def test_what_states_less_or_more_is_no_format(format_: str) -> None:
    assert not dates.is_format(format_)


@pytest.mark.parametrize(
    ("format_", "text", "expected"),
    [
        ("%d.%m.%y", "31.01.26", "2026-01-31T00:00:00+00:00"),
        ("%m/%d/%y", "2/8/15", "2015-02-08T00:00:00+00:00"),
        ("%d.%m.%Y %H:%M", "31.01.2026 23:59", "2026-01-31T23:59:00+00:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-01-31T23:59:00+0200", "2026-01-31T21:59:00+00:00"),
    ],
)
def test_a_date_without_an_offset_is_in_utc(format_: str, text: str, expected: str) -> None:
    assert dates.reader(format_)(text).isoformat() == expected


@pytest.mark.parametrize(
    "text", ["", "31.02.2026", "31.01.2026 ", "1.1.26", "31/01/2026", "x" * 99]
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        dates.reader("%d.%m.%Y")(text)


@given(st.text(max_size=50))
def test_whatever_is_called_a_format_can_be_used(format_: str) -> None:
    if dates.is_format(format_):
        with pytest.raises(Malformed):
            dates.reader(format_)("\u0661")
