"""What goes wrong: how each fault begins and ends.

`end` returns when the cause is gone. The time that a server or process takes to start is not
counted against the service.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fido.lib.process.postgresql.base import GRACE_SECONDS
from tests.fido.processes import alive, eventually
from tests.storms.faults.chance import CHANCE
from tests.storms.faults.processes import Process, WebHost
from tests.storms.faults.world import STATEMENT_SECONDS, World, wait_until_live


@dataclass(frozen=True)
class Fault:
    """Without an `end` it is over at once. `tidy` is done after the recovery."""

    name: str
    end: Callable[[], object] | None = None
    tidy: Callable[[], object] | None = None
    began: float = field(default_factory=time.monotonic)


def kill_worker(world: World) -> Fault:
    return _killed("worker killed", world.worker)


def kill_beat(world: World) -> Fault:
    return _killed("beat killed", world.beat)


def _killed(name: str, process: Process) -> Fault:
    process.kill()
    return Fault(name, process.start)


def kill_web_process(host: WebHost, number: int) -> Fault:
    """gunicorn itself starts another one."""
    if children := host.children():
        os.kill(children[number % len(children)], signal.SIGKILL)
    return Fault("web process killed")


def kill_web_master(host: WebHost) -> Fault:
    """Its web processes have to notice by themselves, and to leave the port to the next one's."""
    orphans = set(host.children())
    host.kill()

    def end() -> None:
        host.start()
        eventually(lambda: not alive(orphans))
        wait_until_live(host)

    return Fault("web master killed", end)


def stop_valkey(world: World, *, keep: bool) -> Fault:
    world.valkey.kill()

    def end() -> None:
        if not keep:
            world.valkey.forget()
        world.valkey.start()

    return Fault(f"Valkey stopped, data {'kept' if keep else 'lost'}", end)


def freeze_valkey(world: World) -> Fault:
    world.valkey.freeze()
    return Fault("Valkey frozen", world.valkey.thaw)


def silence_postgresql(world: World) -> Fault:
    """It is over at once, because new connections work. A statement may wait for its answer, on a
    connection that the service still trusts.
    """
    began = time.monotonic()
    world.cluster.line.silence()

    def tidy() -> None:
        given_up = began + STATEMENT_SECONDS + GRACE_SECONDS
        time.sleep(max(0, given_up - time.monotonic()))
        world.cluster.line.hang_up()

    return Fault("PostgreSQL silent", tidy=tidy, began=began)


def crash_postgresql(world: World) -> Fault:
    world.cluster.crash()
    return Fault("PostgreSQL crashed", world.cluster.start)


def fill_disk(world: World) -> Fault:
    world.cluster.disk.fill()

    def end() -> None:
        world.cluster.disk.free()
        # It crashes when it cannot write its log.
        world.cluster.wait_until_up()

    return Fault("disk full", end)


def shift_clock(world: World, seconds: int) -> Fault:
    world.clock.shift(seconds)
    return Fault("clock shifted", lambda: world.clock.shift(0))


# One of each kind, for a run that has to have them all.
EACH: dict[str, Callable[[World], Fault]] = {
    "worker killed": kill_worker,
    "beat killed": kill_beat,
    "web process killed": lambda world: kill_web_process(CHANCE.choice(world.hosts), 0),
    "web master killed": lambda world: kill_web_master(CHANCE.choice(world.hosts)),
    "Valkey stopped, data kept": lambda world: stop_valkey(world, keep=True),
    "Valkey stopped, data lost": lambda world: stop_valkey(world, keep=False),
    "Valkey frozen": freeze_valkey,
    "PostgreSQL silent": silence_postgresql,
    "PostgreSQL crashed": crash_postgresql,
    "disk full": fill_disk,
    "clock shifted": lambda world: shift_clock(world, 20),
}


def planned(world: World) -> set[str]:
    """Those that this machine allows."""
    impossible = {
        "disk full": not world.cluster.disk.can_be_full,
        "clock shifted": not world.clock.can_be_shifted,
    }
    return {name for name in EACH if not impossible.get(name)}
