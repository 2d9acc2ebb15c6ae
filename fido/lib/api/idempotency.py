"""A repeated POST does its work once. docs/adr/0009-idempotency.md has the reasons.

The first answer to an `Idempotency-Key` is stored in the same database transaction as the write
that it reports, and replayed for a day. A refusal stores nothing: the key may be used again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial, wraps
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from psycopg.errors import LockNotAvailable
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from fido.lib.cache.versioned_cache import write_fence
from fido.lib.process.inserts import Condition
from fido.lib.process.prepared import repeated
from fido.lib.values import clock
from fido.lib.values.crypto.fields import EncryptedTextField, encrypted
from fido.lib.values.errors import DomainError, Kind
from fido.lib.values.ids import new_id

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
KEPT = timedelta(hours=24)
PURGED_AT_ONCE = 1000
# How long a request waits for another one with the same key before it answers 409.
WAIT_MILLISECONDS = 2000

# Waits for a concurrent transaction that has claimed the key. If that commits, nothing is inserted;
# if it rolls back, the key is ours.
CLAIM = """\
INSERT INTO fido_idempotencykey (id, user_id, key_digest, created_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (user_id, key_digest) DO NOTHING"""
# Sent as one, in one round trip.
CLAIM_WAITING = f"""\
SET LOCAL lock_timeout = %s;
{CLAIM};
SET LOCAL lock_timeout TO DEFAULT"""
# The limit is set before the row is made, and ends with the transaction, which is the statement.
CLAIM_WITH_ANSWER = """\
INSERT INTO fido_idempotencykey (id, user_id, key_digest, created_at, answer)
SELECT %s, %s, %s, %s, %s WHERE set_config('lock_timeout', %s, true) IS NOT NULL
ON CONFLICT (user_id, key_digest) DO NOTHING RETURNING 1 AS value"""
FIND = "SELECT answer FROM fido_idempotencykey WHERE user_id = %s AND key_digest = %s"
KEEP = "UPDATE fido_idempotencykey SET answer = %s WHERE user_id = %s AND key_digest = %s"


# The work, and its answer.
Make = Callable[[], HttpResponse]
# The same in one statement, under a condition; None if it was not met.
MakeIf = Callable[[Callable[[HttpResponse], Condition]], HttpResponse | None]


class MalformedKey(DomainError):
    code, kind = "invalid-idempotency-key", Kind.INVALID
    title = f"An {HEADER} is 1 to {MAX_KEY_LENGTH} printable ASCII characters."


class KeyReused(DomainError):
    code, kind = "idempotency-key-reused", Kind.REUSED
    title = f"This {HEADER} was used for another request."


class KeyInFlight(DomainError):
    """The first request has not finished. A later attempt will show its outcome."""

    code, title = "idempotency-key-in-flight", f"A request with this {HEADER} is in progress."
    wait = 1


class AnswerUnreadable(DomainError):
    """No key decrypts the stored answer any more. The work was done, and is not repeated."""

    code, title = "idempotent-answer-unreadable", "The first answer can no longer be read."


class Attempt:
    """One request to create something, with or without an Idempotency-Key.

    `content` is everything that the request asks for besides its path and query: the parsed body,
    or a digest of an upload.

    Raises:
        MalformedKey: the header is present but not a valid key.
    """

    def __init__(self, request: Request, *, content: Any) -> None:
        self._digest: bytes | None = None
        if (key := request.headers.get(HEADER)) is not None:
            self._digest = _digest(key)
            self._message = _message(request, content)

    @property
    def has_key(self) -> bool:
        return self._digest is not None

    def replayed(self, *, user_id: int) -> HttpResponse | None:
        """The first answer to this user's key; None if there is none, or no key was sent.

        Call it before checking the body: what was valid then may be refused by now.

        Raises:
            KeyReused: the key was used for another request.
            AnswerUnreadable: no key decrypts the stored answer.
        """
        if not self.has_key:
            return None
        with repeated() as cursor:
            cursor.execute(FIND, [user_id, self._digest])
            row = cursor.fetchone()
        if row is None:
            return None
        first = self._first(_answers().from_db_value(row[0]))
        # This answer acknowledges the first one's write. The process that wrote may have died
        # before it renewed the versions, and may not have reached Redis when it began.
        with _fences(first["owners"]):
            pass
        body = zlib.decompress(base64.b64decode(first["body"]))
        headers = first["headers"] | {"Idempotent-Replayed": "true"}
        return HttpResponse(body, status=first["status"], headers=headers)

    def run(self, write: Write, *, user_id: int) -> HttpResponse:
        """The answer of the write, or of the first request with this user's key.

        The write and the key commit together.

        Raises:
            KeyReused: the key was used for another request.
            KeyInFlight: another request with this key has not finished.
        """
        if not self.has_key or write.is_rehearsal:
            return write.make()
        owners = sorted(set(write.owners))
        # Entered here as well as in the write, so that they end after this commit or rollback.
        with _fences(owners):
            if write.make_if:
                return self._in_one_statement(write.make_if, user_id, owners)
            with transaction.atomic():
                return self._in_one_transaction(write.make, user_id, owners)

    def _in_one_statement(self, make_if: MakeIf, user_id: int, owners: list[int]) -> HttpResponse:
        claim = partial(self._claimed_with, user_id, owners)
        while True:
            with _bounded_wait():
                response = make_if(claim)
            # Both are None if the purge has deleted the key meanwhile; then it is free to claim.
            if done := response or self.replayed(user_id=user_id):
                return done

    def _in_one_transaction(self, make: Make, user_id: int, owners: list[int]) -> HttpResponse:
        while not self._claim(user_id):
            if first := self.replayed(user_id=user_id):
                return first
        response = make()
        self._keep(response, user_id, owners)
        return response

    def create(self, make: Callable[[], tuple[int, HttpResponse]]) -> HttpResponse:
        """The answer of `make`, which also returns the id of the user that it has created.

        The key belongs to that user, so it cannot be claimed before. When `make` is refused, ask
        `replayed` whether an earlier attempt created the user and got an answer.
        """
        if not self.has_key:
            return make()[1]
        with transaction.atomic():
            user_id, response = make()
            self._claim(user_id)
            self._keep(response, user_id, owners=[])
        return response

    def _claim(self, user_id: int) -> bool:
        """Claim the key, and with it the right to do the work; False if it is taken."""
        with _bounded_wait(), connection.cursor() as cursor:
            row = (new_id(), user_id, self._digest, clock.now())
            cursor.execute(CLAIM_WAITING, [WAIT_MILLISECONDS, *row])
            cursor.nextset()  # from SET to INSERT
            claimed: bool = cursor.rowcount == 1
        return claimed

    def _claimed_with(self, user_id: int, owners: list[int], response: HttpResponse) -> Condition:
        """The condition that the key is free; it is then taken, with this answer."""
        row = (new_id(), user_id, self._digest, clock.now(), self._token(response, owners))
        return Condition(CLAIM_WITH_ANSWER, [*row, str(WAIT_MILLISECONDS)])

    def _keep(self, response: HttpResponse, user_id: int, owners: list[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(KEEP, [self._token(response, owners), user_id, self._digest])

    def _token(self, response: HttpResponse, owners: list[int]) -> Any:
        answer = {
            "fingerprint": _fingerprints(self._message)[0],
            "owners": owners,
            "status": response.status_code,
            "headers": dict(response.items()),
            "body": base64.b64encode(zlib.compress(response.content)).decode(),
        }
        return _answers().get_db_prep_save(json.dumps(answer), connection)

    def _first(self, answer: str | None) -> dict[str, Any]:
        if answer is None:
            raise AnswerUnreadable()
        first: dict[str, Any] = json.loads(answer)
        if first["fingerprint"] not in _fingerprints(self._message):
            raise KeyReused()
        return first


@dataclass(frozen=True)
class Write:
    """What a checked request is going to do.

    `make` writes to the data of the users `owners` and returns the answer. If the request has a
    key, the key and the write commit together.
    """

    make: Make
    owners: Collection[int]
    # If one statement can do it: the same under a condition that the key makes from the answer.
    make_if: MakeIf | None = None
    # It writes nothing, so there is nothing that a repeat could do twice.
    is_rehearsal: bool = False


def idempotent(check: Callable[..., Write]) -> Callable[..., HttpResponse]:
    """Turn a method that checks a POST into an action that does it once for each key.

    The order is fixed here: first the replay, because what was valid the first time may be refused
    by now; then the check; then the write, together with the key. `check` writes nothing.
    """

    @wraps(check)
    def action(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        user_id = caller_id(request)
        attempt = Attempt(request, content=view.get_content())
        if first := attempt.replayed(user_id=user_id):
            return first
        write = check(view, request, *args, **kwargs)
        return attempt.run(write, user_id=user_id)

    action.takes_key = True  # type: ignore[attr-defined]
    return action


def without_key(reason: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a POST as not `idempotent`, with the reason. A system check requires either."""

    def marked(action: Callable[..., Any]) -> Callable[..., Any]:
        action.takes_no_key = reason  # type: ignore[attr-defined]
        return action

    return marked


def caller_id(request: Request) -> int:
    """The caller's id, on a route that requires a login."""
    return cast(int, request.user.pk)


def purge() -> int:
    """Delete the keys that are older than a day; return how many were deleted."""
    old = _keys().filter(created_at__lt=clock.now() - KEPT)
    purged = 0
    # In batches, so that no statement takes long. Each names the users whose keys it deletes.
    while some := list(old.order_by("created_at").values_list("user_id", "id")[:PURGED_AT_ONCE]):
        user_ids, ids = zip(*some, strict=True)
        purged += old.filter(user_id__in=set(user_ids), id__in=ids).delete()[0]
    return purged


def _keys() -> Any:
    """The table of keys, looked up by name: it belongs to the project, and references users."""
    return apps.get_model("fido", "IdempotencyKey")._default_manager


def _answers() -> EncryptedTextField:
    """The field that encrypts the answers."""
    return encrypted(_keys().model, "answer")


@contextmanager
def _bounded_wait() -> Iterator[None]:
    """Tell the client when another request holds its key for too long."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise KeyInFlight() from None
        raise


@contextmanager
def _fences(owners: Iterable[int]) -> Iterator[None]:
    with ExitStack() as fences:
        for owner in owners:
            fences.enter_context(write_fence(owner))
        yield


def _digest(key: str) -> bytes:
    if not (1 <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise MalformedKey()
    return hashlib.sha256(key.encode()).digest()


def _message(request: Request, content: Any) -> bytes:
    """The whole request as bytes; equal for bodies that differ only in spacing and order."""
    query = request.META.get("QUERY_STRING", "")
    try:
        return json.dumps(
            [request.method, request.path, query, content], sort_keys=True, default=_exact
        ).encode()
    except RecursionError:
        raise ParseError("The body is nested too deeply.") from None


def _exact(number: Decimal) -> list[str]:
    return ["number", str(number)]


def _fingerprints(message: bytes) -> list[str]:
    """One per key, newest first. Keyed, because a body may hold values that are easily guessed."""
    message = b"fido.IdempotencyKey\0" + message
    return [hmac.digest(key, message, hashlib.sha256).hex() for key in settings.BLIND_INDEX_KEYS]
