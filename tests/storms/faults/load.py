"""Load in the background: many people at once, at a steady rate while the service answers."""

import threading
import time
from collections.abc import Callable
from functools import partial

from tests.storms.faults import reads, writes
from tests.storms.faults.chance import CHANCE
from tests.storms.faults.service import Person, Service

THREADS = 48
# How often what is done: half of it reads.
RECORDERS: list[tuple[int, Callable[[Service, Person], object]]] = [
    (14, partial(writes.create, keyed=True)),
    (8, partial(writes.create, keyed=False)),
    (3, writes.create_twice_at_once),
    (10, writes.edit),
    (5, writes.delete),
    (2, partial(writes.bulk, keyed=True)),
    (1, partial(writes.bulk, keyed=False)),
    (3, writes.rename),
    (15, partial(reads.history, kept=True)),
    (5, partial(reads.history, kept=False)),
    (15, partial(reads.analytics, kept=True)),
    (5, partial(reads.analytics, kept=False)),
    (6, reads.profile),
    (6, reads.wallet),
]
SENDERS: list[tuple[int, Callable[[Service, Person], object]]] = [
    (30, partial(writes.event, keyed=True)),
    (10, partial(writes.event, keyed=False)),
    (10, partial(reads.history, kept=True)),
    (10, partial(reads.analytics, kept=True)),
    (6, reads.wallet),
]


class Load:
    """As many requests a second as `rate`, fewer while all threads wait for answers."""

    def __init__(self, service: Service, people: list[Person], rate: float) -> None:
        self.service, self.people, self.rate = service, people, rate
        self.failures: list[BaseException] = []
        self._is_on, self._is_over = threading.Event(), threading.Event()
        self._lock, self._next, self._busy = threading.Condition(), 0.0, 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def go_on(self) -> None:
        self._is_on.set()

    def pause(self) -> None:
        """Return when no request is on its way any more."""
        self._is_on.clear()
        with self._lock:
            self._lock.wait_for(lambda: self._busy == 0)

    def end(self) -> None:
        self._is_over.set()
        self._is_on.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._is_on.wait()
            self._wait_for_turn()
            with self._lock:
                if not self._is_on.is_set():
                    continue
                self._busy += 1
            try:
                self._act()
            except BaseException as error:
                self.failures.append(error)
                raise
            finally:
                with self._lock:
                    self._busy -= 1
                    self._lock.notify_all()

    def _wait_for_turn(self) -> None:
        with self._lock:
            # What nobody had time for is not made up for.
            turn = self._next = max(self._next + 1 / self.rate, time.monotonic())
        self._is_over.wait(max(0, turn - time.monotonic()))

    def _act(self) -> None:
        person = CHANCE.choice(self.people)
        kinds = SENDERS if person.name.startswith("sender") else RECORDERS
        weights, actions = zip(*kinds, strict=True)
        (action,) = CHANCE.choices(actions, weights)
        action(self.service, person)
