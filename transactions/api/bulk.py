"""POST /transactions/bulk: many in one request, all or none, or each on its own."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse
from rest_framework.exceptions import ErrorDetail, PermissionDenied, ValidationError
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.models import User
from accounts.wallets import queries
from fido.lib.api import bulks
from fido.lib.api.budget import Budget
from fido.lib.api.bulks import Refusal
from fido.lib.api.idempotency import HEADER, Write
from fido.lib.api.problems import Json
from fido.lib.values.errors import DomainError, Kind
from transactions import operations
from transactions.api.rights import may_record_for_others
from transactions.api.serializers import BulkQuery, TransactionSerializer, represent
from transactions.api.wallets import Wallets, resolve
from transactions.models import Transaction
from transactions.operations import Draft
from transactions.queries import wallet_names

MAX_ROWS = 5000
# With a key everything is one database transaction, which must stay far below PostgreSQL's limit
# on its duration.
MAX_USERS_OF_A_KEY = 1000
TAKEN_OR_IN_FLIGHT = OpenApiResponse(
    description="The external_id of row `index` is taken by transaction `existing_id`; or that"
    " row's wallet holds too little, or is closed; or a request with this Idempotency-Key is in"
    " progress."
)


class TooManyUsers(DomainError):
    code, kind = "too-many-users", Kind.INVALID
    title = f"With an Idempotency-Key at most {MAX_USERS_OF_A_KEY} users at once."


class SeveralUsers(DomainError):
    code, kind = "several-users", Kind.INVALID
    title = "Rows that are recorded as one must belong to one user."


class NotTried(DomainError):
    """The rows of a user that the time did not suffice for. They may be sent again."""

    code, kind = "not-tried", Kind.UNAVAILABLE
    title = "The bulk took too long, and this row was not tried."


@dataclass(frozen=True)
class Row:
    """A row that can be recorded."""

    owner: User
    draft: Draft
    # The caller may read back a name that they sent, but not one from another user's profile.
    sent_name: bool


def write(request: Request) -> Write:
    """What a bulk is going to record. Refuses what cannot be recorded."""
    atomic = BulkQuery.read(request)["atomic"]
    me = caller(request)
    rows = _read(me, bulks.listed(request.data, "transactions", MAX_ROWS))
    if atomic:
        _require_one_whole(rows)
    owners = {row.owner.pk for row in rows if isinstance(row, Row)}
    if HEADER in request.headers and len(owners) > MAX_USERS_OF_A_KEY:
        raise TooManyUsers()
    budget = Budget(request, settings.BULK_SECONDS)
    return Write(partial(_recorded, me, rows, budget, atomic=atomic), owners)


def _read(me: User, data: list[Any]) -> list[Row | Refusal]:
    """Each row, parsed, or the reason why it cannot be recorded."""
    serializer = TransactionSerializer()  # one for all: creating it takes longer than using it
    values = [_checked(serializer, each) for each in data]
    owners = _owners(me, values)
    wallets = _wallets(me, values)
    return [
        each if isinstance(each, Exception) else _row(each, me, owners, wallets) for each in values
    ]


def _checked(serializer: TransactionSerializer, data: Any) -> dict[str, Any] | ValidationError:
    try:
        return dict(serializer.run_validation(data))
    except ValidationError as error:
        return error


def _owners(me: User, values: list[dict[str, Any] | ValidationError]) -> dict[int, User] | None:
    """The users that the rows name besides the caller; None if the caller may not name any."""
    named = {each["user_id"] for each in values if isinstance(each, dict) and "user_id" in each}
    if not named - {me.pk}:
        return {}
    return User.objects.in_bulk(named) if may_record_for_others(me) else None


def _wallets(me: User, values: list[dict[str, Any] | ValidationError]) -> Wallets:
    """The wallets that the rows name, each looked up for its row's user."""
    rows = (each for each in values if isinstance(each, dict) and each.get("wallet") is not None)
    return queries.open_ids_of({(each.get("user_id", me.pk), each["wallet"]) for each in rows})


def _row(
    values: dict[str, Any], me: User, owners: dict[int, User] | None, wallets: Wallets
) -> Row | Refusal:
    user_id = values.pop("user_id", me.pk)
    if user_id != me.pk and owners is None:
        return PermissionDenied()
    owner = me if user_id == me.pk else (owners or {}).get(user_id)
    if owner is None:
        return ValidationError({"user_id": ErrorDetail("No such user.", "unknown-user")})
    sent_name = "full_name" in values
    try:
        resolve(values, owner.pk, wallets)
        draft = Draft.of(owner, values)
        operations.require_recordable(draft)
    except (DomainError, ValidationError) as refusal:
        return refusal
    return Row(owner, draft, sent_name)


def _require_one_whole(rows: list[Row | Refusal]) -> None:
    """Refuse rows that cannot all be recorded together.

    Raises:
        PermissionDenied: a row is for a user for whom the caller may not record.
        bulks.InvalidRows: some rows are malformed.
        SeveralUsers: the rows are not all for one user.
    """
    for row in rows:
        if isinstance(row, PermissionDenied):
            raise row
    bulks.require_none((n, row) for n, row in enumerate(rows) if not isinstance(row, Row))
    if len({row.owner.pk for row in rows if isinstance(row, Row)}) > 1:
        raise SeveralUsers()


def _recorded(me: User, rows: list[Row | Refusal], budget: Budget, *, atomic: bool) -> HttpResponse:
    results = [bulks.refused(n, row) for n, row in enumerate(rows) if not isinstance(row, Row)]
    for step, indexes in enumerate(_by_owner(rows).values()):
        if step and budget.is_spent():
            results += [bulks.refused(n, NotTried()) for n in indexes]
        else:
            mine = {n: row for n in indexes if isinstance(row := rows[n], Row)}
            results += _recorded_of_one(me, mine, atomic)
    return bulks.answer(results, atomic=atomic)


def _recorded_of_one(me: User, mine: dict[int, Row], atomic: bool) -> Iterator[Json]:
    """The results of one user's rows, given by index."""
    owner = next(iter(mine.values())).owner
    drafts = [row.draft for row in mine.values()]
    made = operations.record_many(owner=owner, drafts=drafts, atomic=atomic, recorded_by=me.pk)
    names = wallet_names([each for each in made if isinstance(each, Transaction)])
    for (n, row), outcome in zip(mine.items(), made, strict=True):
        if isinstance(outcome, Transaction):
            clear = row.sent_name or owner.pk == me.pk
            seen = represent(outcome, names, clear=clear)
            yield {"index": n, "status": 201, "transaction": seen}
        else:
            yield bulks.refused(n, outcome)


def _by_owner(rows: list[Row | Refusal]) -> dict[int, list[int]]:
    """The indexes of each user's rows, ordered by user so that two bulks cannot deadlock."""
    places: dict[int, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        if isinstance(row, Row):
            places[row.owner.pk].append(n)
    return dict(sorted(places.items()))
