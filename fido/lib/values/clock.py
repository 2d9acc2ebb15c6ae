"""Time: aware datetimes in UTC, days are UTC days, periods are half-open."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
ONE_DAY = timedelta(days=1)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


class MalformedTime(ValueError):
    """Not an ISO 8601 date or time between the years 1 and 9999."""


@dataclass(frozen=True)
class Period:
    """The moments `start <= t < end`; None means unbounded."""

    start: datetime | None = None
    end: datetime | None = None


def now() -> datetime:
    return datetime.now(UTC)


def parse_moment(value: object) -> datetime:
    """A moment in UTC from ISO 8601: a date alone means its midnight, no offset means UTC.

    Raises:
        MalformedTime: anything else.
    """
    text = value.upper() if isinstance(value, str) else ""
    try:
        if _DATE.fullmatch(text):
            return midnight(date.fromisoformat(text))
        if _TIME.fullmatch(text):
            return _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        pass  # 30 February, or a year that the offset pushes out of range
    raise MalformedTime("Use an ISO 8601 date or time, such as 2026-01-31 or 2026-01-31T12:00:00Z.")


def parse_end(value: object) -> datetime | None:
    """The end of a period: a date includes that whole day. None: after the last possible day."""
    moment = parse_moment(value)
    return next_midnight(moment.date()) if is_day(value) else moment


def parse_day(value: object) -> date:
    """A date alone.

    Raises:
        MalformedTime: anything else, including a date with a time.
    """
    if is_day(value):
        return parse_moment(value).date()
    raise MalformedTime("A day is an ISO 8601 date, such as 2026-01-31.")


def is_day(value: object) -> bool:
    """Whether the text is a date without a time."""
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def next_midnight(day: date) -> datetime | None:
    """The first moment after the day, None after 9999-12-31."""
    return None if day == date.max else midnight(day + ONE_DAY)


def whole_day(day: date) -> Period:
    return Period(midnight(day), next_midnight(day))


def text(moment: datetime) -> str:
    """In the format of answers: `2026-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
