"""Starts everything, measures it under load, and takes it down again."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import redis

from benchmarks.service import stack
from benchmarks.service.figures import Figure, figures
from benchmarks.service.floor import statements
from benchmarks.service.rounds import ROUNDS, Meter
from benchmarks.service.stack import Servers, Side
from benchmarks.service.workloads import ANALYTICS, HISTORY, WORKLOADS, Workload
from benchmarks.service.world import (
    WRITERS,
    World,
    built,
    copied_to_lean,
    in_database,
    in_redis,
    settling,
)
from benchmarks.statements import Bare
from fido.lib.commands.progress import progress
from tests.client import session_of

QUICK_SECONDS, WHOLE_SECONDS = 0.7, 2.5
USERS = 8 + WRITERS


def measured(database: str, folder: Path, bare: Bare, *, quick: bool) -> list[Figure]:
    """The rows of all workloads; `folder` is the servers' state, and takes the logs."""
    with progress("Users", USERS + (not quick)) as step:
        world = built(quick=quick, step=step)
    chosen = [each for each in WORKLOADS if not (quick and each.only_whole)]
    with _sides(database, folder, world) as sides:
        _require_same_answers(world, sides[0], sides[1])
        meter = Meter(world, sides, QUICK_SECONDS if quick else WHOLE_SECONDS)
        with progress("Rounds", _samples(chosen)) as step:
            samples = meter.measured(chosen, step)
    floors = statements(bare, world, Servers.of(folder))
    return [*figures(chosen, samples), *floors]


def _samples(workloads: list[Workload]) -> int:
    return (ROUNDS + 1) * sum(len(each.sides) for each in workloads)


@contextlib.contextmanager
def _sides(database: str, folder: Path, world: World) -> Iterator[list[Side]]:
    """Fido, C, the Django view, and gunicorn alone."""
    url, servers = in_database(database), Servers.of(folder)
    with contextlib.ExitStack() as up:
        settle = up.enter_context(settling(url))
        lean_url = up.enter_context(copied_to_lean(url))
        fido = up.enter_context(stack.fido(servers, url, folder / "fido.log", settle))
        lean = stack.lean(
            servers, folder / "lean.log", LEAN_DATABASE_URL=lean_url, LEAN_REDIS_URL=in_redis(1)
        )
        view = _wsgi(servers, folder, "view", REDIS_URL=in_redis(2))
        plain = _wsgi(servers, folder, "plain")
        sides = [fido, up.enter_context(lean), up.enter_context(view), up.enter_context(plain)]
        _keep_for_the_view(world, fido)
        yield sides


def _wsgi(
    servers: Servers, folder: Path, name: str, **variables: str
) -> contextlib.AbstractContextManager[Side]:
    return stack.gunicorn(servers, name, folder / f"{name}.log", **variables)


def _keep_for_the_view(world: World, fido: Side) -> None:
    body = _asked(fido, world, ANALYTICS)
    redis.Redis.from_url(in_redis(2)).set(f"bench:{world.reader.pk}", body)


def _require_same_answers(world: World, fido: Side, lean: Side) -> None:
    """Both services say the same of the same data, but for the links to other pages."""
    for path, without in ((ANALYTICS, "nothing"), (HISTORY, "next")):
        ours, theirs = (json.loads(_asked(side, world, path)) for side in (fido, lean))
        ours[without] = theirs[without] = None
        if ours != theirs:
            raise RuntimeError(f"{path}: C answers {theirs}, and Fido {ours}")


def _asked(side: Side, world: World, path: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{side.port}{path}")
    request.add_header("Host", "localhost")
    request.add_header("Authorization", f"Bearer {session_of(world.reader).access_token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
