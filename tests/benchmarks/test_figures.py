"""How samples become a row."""

from benchmarks.service.figures import Figure, Spread, figures
from benchmarks.service.picture import svg
from benchmarks.service.rounds import Sample, Samples
from benchmarks.service.workloads import Ratio, Workload


def workload(ratio: Ratio = "cpu", target: float = 2.0) -> Workload:
    return Workload(name="it", make=lambda *_: [], ratio=ratio, target=target)


def sample(web: float, *, worker: float = 0.0, requests: int = 100) -> Sample:
    return Sample(requests, 1.0, {"web": web, "worker": worker}, 1.0, 2.0)


def of(work: Workload, fido: list[Sample], peer: list[Sample]) -> Figure:
    samples: Samples = {"it": {"fido": fido, "C": peer}}
    return figures([work], samples)[0]


def test_the_ratio_is_of_all_processes_and_by_round() -> None:
    fido = [sample(100, worker=100), sample(900, worker=100), sample(300)]

    figure = of(workload(), fido, [sample(100), sample(1000), sample(100)])

    assert figure.ratio == Spread(median=2.0, least=1.0, most=3.0)
    assert figure.costs["fido"].cpu["worker"].median == 100
    assert figure.is_met


def test_rows_a_second_are_to_be_at_least_the_target() -> None:
    figure = of(workload("rows", target=20), [sample(1, requests=5000)] * 3, [sample(1)] * 3)

    assert figure.ratio == Spread(50.0, 50.0, 50.0)
    assert (figure.at_least, figure.is_met) == (True, True)


def test_a_gain_is_the_ratio_the_other_way_round() -> None:
    figure = of(workload("cpu-inverse", target=60), [sample(10)] * 3, [sample(100)] * 3)

    assert figure.ratio == Spread(10.0, 10.0, 10.0)
    assert not figure.is_met


def test_the_picture_shows_what_was_missed() -> None:
    shown = svg([of(workload(target=0.5), [sample(1)] * 3, [sample(1)] * 3)], "A <machine>")

    assert 'class="missed"' in shown
    assert "A &lt;machine&gt;" in shown
