"""This process's connection to Redis, and the *generation* that all processes prolong there.

docs/adr/0008-versioned-cache.md explains generations. A generation lasts while any process of the
service is up and reaches Redis: every lookup prolongs it, and a thread does so when there are no
lookups.
"""

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar

from django_redis import get_redis_connection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from fido.lib.values.metrics import REDIS_AWAY_SECONDS, REDIS_OUTAGES

T = TypeVar("T")
logger = logging.getLogger(__name__)

GENERATION_KEY = "fido:generation"
LEASE_SECONDS = 1.5
BEAT_SECONDS = 0.5
PROBE_SECONDS = 0.1
# Two failures further apart than this tell nothing about the time between them.
PAUSE_SECONDS = 1.0
# A step may run twice: the client resends it if the reply was lost, and a server that hung may
# still execute it when nobody waits for it any more. The second run must set another token than the
# first. Under the first token someone may have cached an answer, before a write by others.
ANEW = """
local time = redis.call('TIME')
local function anew(token) return token .. '.' .. time[1] .. '.' .. time[2] end
"""
BEGIN = f"{ANEW} redis.call('SET', KEYS[1], anew(ARGV[1]), 'PX', ARGV[2])"


class Script:
    """A Lua script, sent by its hash once the server knows it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: list[str], *arguments: Any) -> tuple[Any, ...]:
        return ("EVALSHA", self._sha, len(keys), *keys, *arguments)

    def run(self, client: Any, keys: list[str], *arguments: Any) -> Any:
        return run_all(client, [(self, keys, arguments)])[0]

    def load(self, client: Any) -> None:
        client.script_load(self._text)


# A script, its keys and its arguments.
Step = tuple[Script, list[str], Sequence[Any]]


def run_all(client: Any, steps: list[Step]) -> list[Any]:
    """Run the scripts one after another in one round trip; return their answers."""
    return run_all_on_one(client, steps)[1]


def run_all_on_one(client: Any, steps: list[Step]) -> tuple[str, list[Any]]:
    """Do so, and return also the `run_id` of the server that answered, the last if there were two.

    A server that does not know some of the scripts yet is told these, and asked again for these
    alone. A step may still run twice, if the connection breaks before its answer.
    """
    commands = [script.command(keys, *arguments) for script, keys, arguments in steps]
    run_id, answers = _sent(client, commands)
    if unknown := [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]:
        for n in unknown:
            steps[n][0].load(client)
        run_id, again = _sent(client, [commands[n] for n in unknown])
        for n, answer in zip(unknown, again, strict=True):
            answers[n] = answer
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return run_id, answers


def _sent(client: Any, commands: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """The server's `run_id`, and the answers to the commands, of which some may be errors.

    By the client's connection itself: its pipelines take three times as long for the same bytes.
    """
    pool = client.connection_pool
    connection = pool.get_connection()

    def attempt() -> tuple[str, list[Any]]:
        connection.send_packed_command(connection.pack_commands(commands))
        answers = [_answer(connection) for _ in commands]
        return connection.run_id, answers

    try:
        sent: tuple[str, list[Any]] = connection.retry.call_with_retry(
            attempt, lambda _: connection.disconnect()
        )
        return sent
    except BaseException:
        connection.disconnect()  # nobody else may read our answers
        raise
    finally:
        pool.release(connection)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error  # the next one's answer follows, and has to be read too


class Away(Exception):
    """Redis cannot be reached at the moment."""


class Link:
    """Redis, which either answers at once or is known to be away.

    After a failure no caller waits for timeouts: a thread retries. When it gets through, it ends
    the generation, because this process may have written while it was cut off.
    """

    def __init__(self) -> None:
        # Surrounds each attempt, for traces.
        self.around: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.start_anew()
        # A fork does not copy threads, so nothing would retry.
        os.register_at_fork(after_in_child=self.start_anew)

    def start_anew(self) -> None:
        self._lock = threading.Lock()
        self._down_since: float | None = None
        self._tried_at = self._failed_at = 0.0
        self.beats = False

    @property
    def is_down(self) -> bool:
        """Whether the last attempt failed."""
        return self._down_since is not None

    @property
    def down_seconds(self) -> float:
        """Seconds from the end of the first failed attempt to the start of the last failed one."""
        since = self._down_since
        return 0.0 if since is None else max(0.0, self._tried_at - since)

    def ask(self, work: Callable[[Any], T]) -> T:
        """Run `work`. Raises Away, without an attempt if the last one failed."""
        if self.is_down:
            raise Away
        return self.insist(work)

    def insist(self, work: Callable[[Any], T]) -> T:
        """Run `work`. Raises Away, but only after an attempt."""
        began = time.monotonic()
        try:
            with self.around():
                return work(get_redis_connection())
        except RedisError as error:
            if self._failed(began):
                self._went_down(type(error).__name__)
            raise Away from error

    def keep_generation(self) -> None:
        """Keep the generation from ending for lack of reads while this process lives.

        A process that outlives its servers sets `beats` to False.
        """
        if not self.beats:
            self.beats = True
            threading.Thread(target=self._beat, daemon=True, name="fido-redis-beat").start()

    def _beat(self) -> None:
        time.sleep(BEAT_SECONDS)
        while self.beats:
            with suppress(Away):
                self.ask(lambda client: client.pexpire(GENERATION_KEY, lease()))
            time.sleep(BEAT_SECONDS)

    def _failed(self, began: float) -> bool:
        """Record a failure; return whether it is the first one."""
        now = time.monotonic()
        with self._lock:
            first = self._down_since is None
            # A process that was paused does not know what others could do meanwhile.
            if self._down_since is None or now - self._failed_at > PAUSE_SECONDS:
                self._down_since = now
            self._tried_at, self._failed_at = began, now
            return first

    def _went_down(self, error: str) -> None:
        REDIS_OUTAGES.inc()
        logger.error("Redis is away, answers come from the database: %s", error)
        threading.Thread(target=self._probe, daemon=True, name="fido-redis-probe").start()

    def _probe(self) -> None:
        told, back = time.monotonic(), False
        while not back:
            time.sleep(PROBE_SECONDS)
            began = time.monotonic()
            if not (back := _generation_ended()):
                self._failed(began)
            REDIS_AWAY_SECONDS.inc(began - told)
            told = began
        self._down_since = None
        logger.warning("Redis is back.")


def _generation_ended() -> bool:
    """Whether Redis accepted the start of another generation."""
    try:
        get_redis_connection().eval(BEGIN, 1, GENERATION_KEY, random_token(), lease())
    except RedisError:
        return False
    return True


def lease() -> int:
    """How many milliseconds a generation lasts unless it is prolonged."""
    return int(LEASE_SECONDS * 1000)


def random_token() -> str:
    """A random name for a generation, a version or a writer."""
    return secrets.token_hex(8)


link = Link()
