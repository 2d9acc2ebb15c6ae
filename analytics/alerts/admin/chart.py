"""Two daily counts side by side, as a chart: plain SVG without script or style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from analytics.alerts.backtest import Counts
from fido.lib.values.clock import ONE_DAY

WIDTH, HEIGHT, MARGIN = 900, 220, 24
# With more days than this, bars are too thin to tell apart, so each covers several days.
MOST_BARS = 120


@dataclass(frozen=True)
class Bar:
    """A rectangle, in the chart's units, and its tooltip."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    highest: int
    first: date
    last: date


def drawn(days: Mapping[date, Counts]) -> Chart | None:
    """The chart from the first to the last day with any count; None if there is none."""
    if not days:
        return None
    first, last = min(days), max(days)
    groups = list(_groups(days, first, last))
    highest = max(max(counts.would, counts.was) for _, counts in groups)
    width = WIDTH / len(groups)
    bars = [
        bar
        for place, (title, counts) in enumerate(groups)
        for bar in _pair(place * width, width, title, counts, highest)
    ]
    return Chart(bars, highest, first, last)


def _groups(days: Mapping[date, Counts], first: date, last: date) -> Iterator[tuple[str, Counts]]:
    together = -(-((last - first).days + 1) // MOST_BARS)
    for start in range(0, (last - first).days + 1, together):
        counts, begins = Counts(), first + start * ONE_DAY
        for offset in range(min(together, (last - begins).days + 1)):
            if day := days.get(begins + offset * ONE_DAY):
                counts.would += day.would
                counts.was += day.was
        yield str(begins) if together == 1 else f"{together} days from {begins}", counts


def _pair(x: float, width: float, title: str, counts: Counts, highest: int) -> Iterator[Bar]:
    for place, (kind, count) in enumerate(vars(counts).items()):
        height = round((HEIGHT - MARGIN) * count / (highest or 1), 1)
        yield Bar(
            x=round(x + width * (0.1 + 0.4 * place), 1),
            y=HEIGHT - height,
            width=round(width * 0.4, 1),
            height=height,
            kind=kind,
            title=f"{title}: {kind} {count:,}",
        )
