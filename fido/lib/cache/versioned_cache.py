"""Cached answers in Redis that are never stale. docs/adr/0008-versioned-cache.md has the proof.

A user's answers are cached under a version, a random token. A write renews it before it begins and
after it has committed, and is registered as a *writer* in between. While a writer is registered,
nothing is read from the cache or stored in it. Versions count only within a *generation*, which
ends when Redis restarts and when no process could reach it for LEASE_SECONDS. A write that cannot
reach Redis is acknowledged only once that must have happened.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from fido.lib.cache.redis_link import (
    ANEW,
    GENERATION_KEY,
    LEASE_SECONDS,
    PAUSE_SECONDS,
    Away,
    Script,
    Step,
    lease,
    link,
    random_token,
    run_all,
    run_all_on_one,
)
from fido.lib.process.database import is_busy
from fido.lib.values.crypto.keys import fernet_ring

logger = logging.getLogger(__name__)

# The version of what all users' answers may depend on: the exchange rates.
RATES_KEY = "fido:{rates}:version"
# How long a write retries its last step. Longer than the lease, because two clocks may differ and
# the network adds delay.
PATIENCE_SECONDS = LEASE_SECONDS + 0.25
# The upper limit, if Redis comes and goes. Time when the process was paused does not count.
LIMIT_SECONDS = 2 * PATIENCE_SECONDS
RETRY_SECONDS = 0.05

# A token that all users share, created if there is none: the generation, and the rates' version.
OPEN = Script(f"""{ANEW}
local token = redis.call('GET', KEYS[1]) or anew(ARGV[1])
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
""")
# Version, login, and whether a writer is registered. Expired writers are removed.
LOOK = Script(f"""{ANEW}
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = redis.call('HGETALL', KEYS[1])
local version, login, standing = false, false, 0
for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'version' then version = value
    elseif name == 'login' then login = value
    elseif tonumber(value) <= now then redis.call('HDEL', KEYS[1], name)
    else standing = 1 end
end
if not version then
    version = anew(ARGV[1])
    redis.call('HSET', KEYS[1], 'version', version)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local kept = ARGV[3] and standing == 0 and redis.call('GET', ARGV[3] .. version .. ':' .. ARGV[4])
return {{version, login, standing, kept or false}}
""")
ENTER = Script(f"""{ANEW}
local lapses = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('HSET', KEYS[1], 'version', anew(ARGV[1]), ARGV[3], string.format('%.0f', lapses))
redis.call('HDEL', KEYS[1], 'login')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")
LEAVE = Script(f"""{ANEW}
redis.call('HSET', KEYS[1], 'version', anew(ARGV[1]))
redis.call('HDEL', KEYS[1], 'login', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")
# Compare-and-set: a writer that came since has renewed the version.
KEEP_LOGIN = Script("""
if redis.call('HGET', KEYS[1], 'version') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'login', ARGV[2])
end
""")


@dataclass(frozen=True)
class View:
    """What one lookup of a user's state has shown. Answers are found and stored under it.

    `kept` is what was stored for `question`, if the lookup named one; `opened` says what it is.
    """

    user_id: int
    generation: str
    version: str
    rates: str
    login: str | None
    writer_stands: bool
    question: str | None = None
    kept: bytes | None = None

    def key(self, question: str) -> str:
        return f"{_prefix(self.user_id)}{self.version}:{_digest(question)}"

    @property
    def mark(self) -> bytes:
        """What an answer is stored behind, so that it ends with a generation and with the rates.

        Not part of the key: only the user's own state is in the slot of the user's keys.
        """
        return f"{self.generation}:{self.rates}\n".encode()

    def opened(self, kept: bytes | None) -> bytes | None:
        """The answer, if it was stored under this very view."""
        if self.writer_stands or kept is None or not kept.startswith(self.mark):
            return None
        try:
            return fernet_ring().decrypt(kept[len(self.mark) :])
        except InvalidToken:
            return None


def look(user_id: int, question: str | None = None) -> View | None:
    """The user's state, and what is stored for the question, in one round trip.

    None: Redis is away, ask the database.
    """
    asked = [] if question is None else [_prefix(user_id), _digest(question)]
    steps: list[Step] = [
        (OPEN, [GENERATION_KEY], [random_token(), lease()]),
        (LOOK, [_state_key(user_id)], [random_token(), _state_ms(), *asked]),
        rates_version(),
    ]
    try:
        run_id, (token, (version, login, standing, kept), rates) = link.ask(
            lambda client: run_all_on_one(client, steps)
        )
    except Away:
        return None
    # A restarted server has another run_id. So nobody asks for an answer that its disk had not yet
    # deleted, or under a state that it had not yet saved.
    generation = run_id + token.decode()
    return View(
        user_id,
        generation,
        version.decode(),
        rates.decode(),
        _present_login((login or b"").decode(), generation),
        bool(standing),
        question,
        kept,
    )


def rates_version() -> Step:
    """The step that looks it up, for a caller that is about to read or renew the rates."""
    return OPEN, [RATES_KEY], [random_token(), _state_ms()]


def renewed_version() -> tuple[str, int]:
    """A version that nothing is cached under yet, and its lifetime in milliseconds."""
    return random_token(), _state_ms()


def _present_login(kept: str, generation: str) -> str | None:
    """The login stored under this generation, unless it is due for a refresh."""
    # One of an older generation may come back from the disk of a restarted server.
    of, _, rest = kept.partition(":")
    until, _, login = rest.partition(":")
    return login if of == generation and float(until) > time.time() else None


def keep_login(view: View, login: str) -> None:
    """Store what authentication needs, unless a write has begun since the lookup."""
    if view.writer_stands:
        return
    value = f"{view.generation}:{time.time() + settings.CACHE_SECONDS}:{login}"
    arguments = ([_state_key(view.user_id)], view.version, value)
    with suppress(Away):
        link.ask(lambda client: KEEP_LOGIN.run(client, *arguments))


def find(view: View, question: str) -> bytes | None:
    """The cached answer to a question; None if there is none."""
    if view.writer_stands:
        return None
    if question == view.question:
        return view.opened(view.kept)  # the lookup has asked
    try:
        return view.opened(link.ask(lambda client: client.get(view.key(question))))
    except Away:
        return None


def seconds_left(view: View, question: str) -> float:
    """How long an answer stays cached; 0 if there is none.

    Raises:
        Away: Redis did not say.
    """

    def ask(client: Any) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        pipeline.getrange(view.key(question), 0, len(view.mark) - 1)
        pipeline.pttl(view.key(question))
        found: list[Any] = pipeline.execute()
        return found

    mark, milliseconds = link.ask(ask)
    return max(0, milliseconds) / 1000 if mark == view.mark else 0


def keep(view: View, question: str, answer: bytes) -> bool:
    """Cache an answer that was computed after the lookup; return whether it was stored.

    It is encrypted, because most answers contain a name.
    """
    if view.writer_stands:
        return False
    value, seconds = view.mark + fernet_ring().encrypt(answer), settings.CACHE_SECONDS
    try:
        link.ask(lambda client: client.set(view.key(question), value, ex=seconds))
    except Away:
        return False
    return True


@dataclass(frozen=True)
class Errand:
    """A step that travels with a fence's last one; `then` gets its answer."""

    step: Step
    then: Callable[[Any], None]


class _Standing(threading.local):
    """The users whose fence this thread is inside, and what their last steps take along."""

    def __init__(self) -> None:
        self.errands: dict[int, list[Errand]] = {}


_standing = _Standing()


def taken_along(errand: Errand) -> bool:
    """Have a fence run this with its last step, once its write has committed.

    False: this thread is inside no fence. After a rollback, or if Redis is away, nobody runs it.
    """
    for errands in _standing.errands.values():
        errands.append(errand)
        return True
    return False


@contextmanager
def write_fence(user_id: int) -> Iterator[None]:
    """Surround a write, including its commit, to data that a user's answers depend on.

    Inside a fence of the same user it does nothing: the outer one began before, and ends after the
    commit. A caller that makes several writes in one transaction therefore puts one fence around
    it, and must let database errors propagate.

    Inside a caller's transaction without a fence, it ends with that transaction's commit. If that
    transaction rolls back, the writer stays registered until it expires, and for a minute the
    user's answers come from the database.
    """
    if user_id in _standing.errands:
        yield
        return
    errands = _standing.errands[user_id] = list[Errand]()
    try:
        with _fence(user_id, errands):
            yield
    finally:
        del _standing.errands[user_id]


@contextmanager
def _fence(user_id: int, errands: list[Errand]) -> Iterator[None]:
    writer = f"writer:{random_token()}"
    _enter(user_id, writer)
    if connection.in_atomic_block:
        transaction.on_commit(lambda: _leave(user_id, writer, errands))
        yield
        return
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        # The commit may have been sent, and may still happen after anything we do now. But if
        # another transaction was in the way, PostgreSQL has said that it rolled this one back. It
        # waits for locks before it writes a commit down, also where COMMIT is what waits (a
        # deferred foreign key locks its row then), and nothing else is on its way.
        if is_busy(error):
            _leave(user_id, writer)
        raise
    except BaseException:
        _leave(user_id, writer)
        raise
    _leave(user_id, writer, errands)


def _enter(user_id: int, writer: str) -> None:
    arguments = (random_token(), _state_ms(), writer, settings.WRITER_LAPSE_SECONDS * 1000)
    with suppress(Away):  # the version is then renewed after the commit, which is waited for
        link.ask(lambda client: ENTER.run(client, [_state_key(user_id)], *arguments))


def _leave(user_id: int, writer: str, errands: Sequence[Errand] = ()) -> None:
    """Return once no answer from before the commit can be read any more."""
    last: Step = (LEAVE, [_state_key(user_id)], [random_token(), _state_ms(), writer])
    steps = [last, *(errand.step for errand in errands)]
    waited, before = 0.0, time.monotonic()
    while True:
        try:
            _, *answers = link.insist(lambda client: run_all(client, steps))
            _run(errands, answers)
            return
        except Away:
            # No process could prolong the generation for LEASE_SECONDS, so it has ended.
            if link.down_seconds > PATIENCE_SECONDS or waited > LIMIT_SECONDS:
                return
            now = time.monotonic()
            waited, before = waited + min(now - before, PAUSE_SECONDS), now
            time.sleep(RETRY_SECONDS)


def _run(errands: Sequence[Errand], answers: list[Any]) -> None:
    for errand, answer in zip(errands, answers, strict=False):
        try:
            errand.then(answer)
        except Exception:
            # The write is committed: nothing may turn it into an error.
            logger.exception("What was to follow a write has failed.")


def _prefix(user_id: int) -> str:
    return f"fido:{{{user_id}}}:"


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:32]


def _state_key(user_id: int) -> str:
    return f"{_prefix(user_id)}state"


def _state_ms() -> int:
    # Longer than the answers' lifetime, so that answers are evicted first under memory pressure.
    return int(settings.CACHE_SECONDS * 4 * 1000)
