"""Moments are in UTC, days are UTC days, periods are half-open."""

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fido.lib.values import clock

offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds
    datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=offsets,
)


@given(moments)
def test_a_moment_of_any_offset_is_the_same_moment_in_utc(moment: datetime) -> None:
    parsed = clock.parse_moment(moment.isoformat())

    assert parsed == moment
    assert parsed.tzinfo is UTC


@given(moments)
def test_what_is_written_is_read_back_the_same(moment: datetime) -> None:
    assert clock.parse_moment(clock.text(moment)) == moment
    assert clock.text(moment).endswith("Z")


@given(st.dates())
def test_a_day_holds_its_moments_and_not_the_next_midnight(day: date) -> None:
    period = clock.whole_day(day)

    assert period.start == clock.parse_moment(day.isoformat())
    assert period.end == clock.parse_end(day.isoformat())
    assert period.end is None or period.end - clock.midnight(day) == timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:30", datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T23:30:00-05:00", datetime(2026, 2, 1, 4, 30, tzinfo=UTC)),
        ("2026-01-31T00:30:00+0530", datetime(2026, 1, 30, 19, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00-14:00", datetime(1, 1, 1, 14, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_iso_8601_is_read(text: str, expected: datetime) -> None:
    assert clock.parse_moment(text) == expected


MALFORMED = ["", "now", "2026", "2026-1-1", "20260131", "2026-W05-6", "2026-031", "31.01.2026"]
MALFORMED += ["0000-01-01", "10000-01-01", "-0001-01-01", "2026-02-30", "2026-13-01", "2026-01-00"]
MALFORMED += ["2026-01-31T24:01:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z", "2026-01-31T"]
MALFORMED += ["2026-01-31T12:00:00+99:00", "2026-01-31T12:00:00 Z", "2026-01-31T12:00Z\n", " "]
MALFORMED += ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "２０２６-01-31", "\0"]
MALFORMED += ["2026-01-31T12", "2026-01-31\n", "\ud800", "2026-01-31T12:00:00UTC", "9" * 400]


@pytest.mark.parametrize("value", [*MALFORMED, None, 0, 1.5, True, [], {}], ids=ascii)
def test_anything_else_is_malformed(value: Any) -> None:
    with pytest.raises(clock.MalformedTime):
        clock.parse_moment(value)


@given(st.text())
def test_no_text_raises_anything_but_malformed_time(text: str) -> None:
    with contextlib.suppress(clock.MalformedTime):
        assert clock.parse_moment(text).tzinfo is UTC


def test_a_date_as_end_includes_that_whole_day() -> None:
    assert clock.parse_end("2026-01-31") == datetime(2026, 2, 1, tzinfo=UTC)
    assert clock.parse_end("2026-01-31T00:00:00Z") == datetime(2026, 1, 31, tzinfo=UTC)


def test_the_last_day_there_is_has_no_end() -> None:
    assert clock.parse_end("9999-12-31") is None
    assert clock.whole_day(date.max) == clock.Period(datetime(9999, 12, 31, tzinfo=UTC), None)


@pytest.mark.parametrize("value", ["2026-01-31T00:00:00Z", "2026-02-30", "0000-01-01", 20260131])
def test_a_day_is_a_date_alone(value: Any) -> None:
    with pytest.raises(clock.MalformedTime):
        clock.parse_day(value)
    assert clock.parse_day("2026-01-31") == date(2026, 1, 31)
