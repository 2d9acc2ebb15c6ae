"""Everything goes wrong under load, by Hypothesis' choice, and nothing is lost, doubled or stale.

`make storms ARGS="--storm-minutes 60 --storm-rate 50 --storm-seed 1"`; docs/development.md says
more. The world is one for the whole run: an example is a round on it, which begins with load and
ends with judgement. So a failure is not shrunk, but printed with all its steps.
"""

import itertools
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.storms.faults import faults, reads, report, world, writes
from tests.storms.faults.chance import CHANCE
from tests.storms.faults.faults import Fault, planned
from tests.storms.faults.service import Person
from tests.storms.faults.storm import Broken, Storm

pytestmark = pytest.mark.storm

# Of ten rounds or more, Hypothesis would make the first tenth as simple as possible.
STEPS, ROUNDS = 14, 9
AT_ONCE = 2
SETTINGS = hypothesis.settings(
    derandomize=False,
    database=None,
    deadline=None,
    max_examples=ROUNDS,
    stateful_step_count=STEPS,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
RECORDERS, SENDERS = [f"recorder{n}" for n in range(6)], ["sender0", "sender1"]
SECONDS = st.sampled_from([0.3, 1, 3, 6])
DISK_MEGABYTES, DISK_MEGABYTES_A_MINUTE = 700, 20


def room_for(place: str) -> Callable[[Any], Any]:
    """Whether another fault may begin, and none is on at this place."""
    return precondition(lambda self: len(self.on) < AT_ONCE and place not in self.on)


class Faults(RuleBasedStateMachine):
    """What is on depends on the steps alone, so that Hypothesis can choose them again.

    Once something has been found, or time is up, steps do nothing.
    """

    storm: Storm

    def __init__(self) -> None:
        super().__init__()
        self.on: list[str] = []  # the places of the faults
        self.takes_part = False

    @initialize(seconds=SECONDS)
    def begin(self, seconds: float) -> None:
        if not self.storm.is_over:
            self.takes_part = True
            self.storm.begin_round()
            self.storm.let_the_rarest_happen(seconds)

    def teardown(self) -> None:
        if self.takes_part:
            self.storm.end_round()
        # At this place alone, so that Hypothesis sees one error and not many.
        if self.storm.found:
            raise Broken("; ".join(self.storm.found[:5]))

    def fault(self, place: str, start: Callable[[], Fault]) -> None:
        self.on.append(place)
        if self.takes_part and not self.storm.is_over:
            self.storm.begin(place, start)

    # --- faults ---

    @room_for("worker")
    @rule()
    def kill_the_worker(self) -> None:
        self.fault("worker", lambda: faults.kill_worker(self.storm.world))

    @room_for("beat")
    @rule()
    def kill_beat(self) -> None:
        self.fault("beat", lambda: faults.kill_beat(self.storm.world))

    @room_for("web")
    @rule(host=st.sampled_from([0, 1]))
    def kill_a_web_master(self, host: int) -> None:
        self.fault("web", lambda: faults.kill_web_master(self.storm.world.hosts[host]))

    @room_for("web")
    @rule(host=st.sampled_from([0, 1]), number=st.sampled_from([0, 1]))
    def kill_a_web_process(self, host: int, number: int) -> None:
        hosts = self.storm.world.hosts
        self.fault("web", lambda: faults.kill_web_process(hosts[host], number))
        self.end("web")

    @room_for("Valkey")
    @rule(keep=st.booleans())
    def stop_valkey(self, keep: bool) -> None:
        self.fault("Valkey", lambda: faults.stop_valkey(self.storm.world, keep=keep))

    @room_for("Valkey")
    @rule()
    def freeze_valkey(self) -> None:
        self.fault("Valkey", lambda: faults.freeze_valkey(self.storm.world))

    @room_for("PostgreSQL")
    @rule()
    def silence_postgresql(self) -> None:
        self.fault("PostgreSQL", lambda: faults.silence_postgresql(self.storm.world))
        self.end("PostgreSQL")

    @room_for("PostgreSQL")
    @rule()
    def crash_postgresql(self) -> None:
        self.fault("PostgreSQL", lambda: faults.crash_postgresql(self.storm.world))

    @room_for("PostgreSQL")
    @rule()
    def fill_the_disk(self) -> None:
        if self.storm.world.cluster.disk.can_be_full:
            self.fault("PostgreSQL", lambda: faults.fill_disk(self.storm.world))

    @room_for("clock")
    @rule(seconds=st.sampled_from([-20, -5, -1, 1, 5, 20]))
    def shift_a_clock(self, seconds: int) -> None:
        if self.storm.world.clock.can_be_shifted:
            self.fault("clock", lambda: faults.shift_clock(self.storm.world, seconds))

    @precondition(lambda self: self.on)
    @rule(number=st.integers(0, AT_ONCE - 1), after_seconds=SECONDS)
    def a_fault_ends(self, number: int, after_seconds: float) -> None:
        self.end(self.on[number % len(self.on)], after_seconds)

    def end(self, place: str, after_seconds: float = 0) -> None:
        self.on.remove(place)
        if place in self.storm.active:
            self.storm.end(place, after_seconds)

    # --- meanwhile ---

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        if self.takes_part and not self.storm.is_over:
            self.storm.wait(seconds)

    @rule(who=st.sampled_from(RECORDERS), keyed=st.booleans())
    def somebody_records(self, who: str, keyed: bool) -> None:
        self.do(
            "create", lambda person: writes.create(self.storm.service, person, keyed=keyed), who
        )

    @rule(who=st.sampled_from(RECORDERS), keyed=st.booleans())
    def somebody_records_many(self, who: str, keyed: bool) -> None:
        self.do("bulk", lambda person: writes.bulk(self.storm.service, person, keyed=keyed), who)

    @rule(
        who=st.sampled_from(RECORDERS),
        what=st.sampled_from([writes.edit, writes.delete, writes.rename]),
    )
    def somebody_changes(self, who: str, what: Any) -> None:
        self.do(what.__name__, lambda person: what(self.storm.service, person), who)

    @rule(who=st.sampled_from(SENDERS), keyed=st.booleans())
    def somebody_sends_an_event(self, who: str, keyed: bool) -> None:
        self.do("event", lambda person: writes.event(self.storm.service, person, keyed=keyed), who)

    @rule(
        who=st.sampled_from(RECORDERS),
        what=st.sampled_from([reads.history, reads.analytics]),
        kept=st.booleans(),
    )
    def somebody_reads(self, who: str, what: Any, kept: bool) -> None:
        self.do(what.__name__, lambda person: what(self.storm.service, person, kept=kept), who)

    @rule(who=st.sampled_from(RECORDERS), what=st.sampled_from([reads.profile, reads.wallet]))
    def somebody_looks(self, who: str, what: Any) -> None:
        self.do(what.__name__, lambda person: what(self.storm.service, person), who)

    def do(self, what: str, act: Callable[[Person], object], name: str) -> None:
        if self.takes_part and not self.storm.is_over:
            self.storm.do(what, act, name)


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("storm_seed") or secrets.randbelow(10**9))


@pytest.fixture
def storm(tmp_path: Path, pytestconfig: pytest.Config, seed: int) -> Iterator[Storm]:
    CHANCE.seed(seed)
    minutes = float(pytestconfig.getoption("storm_minutes"))
    megabytes = DISK_MEGABYTES + int(minutes * DISK_MEGABYTES_A_MINUTE)
    with world.running(tmp_path, megabytes) as running:
        storm = Storm(running, float(pytestconfig.getoption("storm_rate")), minutes * 60)
        yield storm
        storm.load.end()


def test_nothing_is_lost_doubled_or_stale_whatever_goes_wrong(
    storm: Storm, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        for number in itertools.count(seed):
            machine = hypothesis.seed(number)(type("Faults", (Faults,), {"storm": storm}))
            run_state_machine_as_test(machine, settings=SETTINGS)
            if storm.is_over:
                break
        storm.finish()
    finally:
        with capsys.disabled():
            print(report.printed(storm, seed))

    assert storm.found == []
    assert planned(storm.world) - storm.hits.keys() == set()
