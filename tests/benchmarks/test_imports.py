"""What `make bench` promises of imports."""

import pytest

from benchmarks.imports import Timings, kept_promises

HALF, MAPPED = (
    "an import reaches half of the bare script",
    "a mapped CSV reaches nine tenths of our own layout",
)


@pytest.mark.parametrize(
    ("service", "mapped", "kept"),
    [(2.0, 1.11, {HALF, MAPPED}), (2.01, 1.11, {MAPPED}), (2.0, 1.12, {HALF})],
)
def test_a_promise_is_kept_by_the_median(service: float, mapped: float, kept: set[str]) -> None:
    # One round of each is far off.
    timings = Timings(
        rows=100,
        bare=[1.0, 1.0, 1.0],
        service=[service, service, 9.0],
        own=[1.0, 1.0, 1.0],
        mapped=[0.1, mapped, mapped],
    )

    assert {name for name, is_kept in kept_promises(timings).items() if is_kept} == kept
