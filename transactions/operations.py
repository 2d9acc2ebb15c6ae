"""The only place that writes transactions. It knows nothing of HTTP."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Model
from psycopg.errors import UniqueViolation

from accounts.models import User
from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.process import inserts
from fido.lib.process.inserts import Condition
from fido.lib.values import clock, money
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.errors import DomainError, InvalidInput, NotFound, PreconditionFailed
from fido.lib.values.ids import Block, new_id
from transactions import accountability, balances, queries
from transactions.models import Transaction, recorder
from transactions.signals import Change, transactions_changed

INSERTED_AT_ONCE = 1000
Values = dict[str, Any]


class ExternalIdTaken(DomainError):
    """The user has another transaction with this external id: `existing_id`.

    It is None if that one was deleted concurrently.
    """

    code, title = "external-id-taken", "There is a transaction with this external_id."


class ExternalIdRepeated(DomainError):
    """Nobody has this external id; the row may be sent again."""

    code = "external-id-repeated"
    title = "An earlier row has this external_id, and was refused."


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A transaction's content, before it has an id.

    `transaction_amount` is positive, in `currency`'s units (not cents) and with no more decimals
    than it has; `transaction_date` is aware. `full_name` and `description` are in clear.
    `wallet_id` is a wallet of the owner; the transaction moves its balance.
    """

    transaction_date: datetime
    transaction_amount: Decimal
    transaction_type: str
    currency: str
    full_name: str | None = None
    description: str | None = None
    external_id: str | None = None
    wallet_id: UUID | None = None
    category: str | None = None

    @classmethod
    def of(cls, owner: User, values: dict[str, Any]) -> Draft:
        """The draft of checked values; what they leave out is as in the owner's profile."""
        return cls(**{"currency": owner.currency, "full_name": owner.full_name} | values)


def record(
    *, owner: User, draft: Draft, id_: UUID | None = None, recorded_by: int | None = None
) -> Transaction:
    """Record one credit or debit, and move its wallet; totals are exact once this commits.

    Pass `id_` only if you know the user's previous id, and keep the ids in order. `recorded_by` is
    the id of the user who does it, by default the owner.

    Raises:
        ExternalIdTaken: the owner has one with this `external_id`.
        InvalidInput: the amount has more decimals than its currency.
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    row, _ = _record(owner, draft, id_ or new_id(), recorded_by)
    return row


def record_if(
    condition: Callable[[Transaction], Condition], *, owner: User, draft: Draft
) -> Transaction | None:
    """Record one of no wallet and without `external_id`, in one statement with the condition.

    `condition` is made from the transaction to be. None: it was not met, and nothing was recorded.

    Raises:
        InvalidInput: the amount has more decimals than its currency.
    """
    assert is_one_step(draft)
    require_recordable(draft)
    row = _row(owner, draft, clock.now(), new_id())
    with write_fence(owner.pk):
        others = _following(Change(before=None, after=row))
        recorded = inserts.insert_if(condition(row), row, *others).inserted
    return row if recorded else None


def is_one_step(draft: Draft) -> bool:
    """Whether nothing but the shape of the draft could refuse it."""
    return draft.wallet_id is None and draft.external_id is None


def record_in_wallet(*, owner: User, draft: Draft) -> tuple[Transaction, Decimal]:
    """Record one that names a wallet; return it and the wallet's new balance in the currency.

    Raises as `record` does.
    """
    row, left = _record(owner, draft, new_id())
    assert left is not None
    return row, left


def record_many(
    *,
    owner: User,
    drafts: Sequence[Draft],
    atomic: bool = True,
    recorded_by: int | None = None,
) -> list[Transaction | DomainError]:
    """Record many of one user in one database transaction; return each result, in order.

    `recorded_by` is as for `record`.

    Wallets are moved by one draft after another. A draft whose `external_id` is already taken is
    refused; the others go through. This holds even if an earlier draft with that id was itself
    refused. The same goes for a balance that cannot be moved. If `atomic`, one refusal refuses all.

    Raises:
        ExternalIdTaken: if `atomic`. `index` is the refused draft, and `first_index` the other
            draft with the same `external_id`, if there is one.
        InsufficientFunds, BalanceTooLarge, WalletClosed: if `atomic`, with `index`.
        InvalidInput: an amount has more decimals than its currency.
    """
    for draft in drafts:
        require_recordable(draft)
    now = clock.now()
    block = Block()
    rows = [_row(owner, draft, now, block.id(n), recorded_by) for n, draft in enumerate(drafts)]
    with write_fence(owner.pk), transaction.atomic():
        taken = _insert(owner.pk, rows)
        if taken and atomic:
            raise _first_taken(rows, taken)
        inserted = [row for row in rows if row.pk not in taken]
        unsettled = balances.follow_all(owner.pk, inserted)
        if unsettled and atomic:
            raise _first_unsettled(rows, unsettled)
        _take_back(owner.pk, unsettled)
        recorded = (Change(None, after=row) for row in inserted if row.pk not in unsettled)
        inserts.insert_all(_following(*recorded))
    refusals = {**_taken_or_repeated(taken, unsettled), **unsettled}
    return [refusals.get(row.pk, row) for row in rows]


def amend(
    *, row: Transaction, changes: Values, if_unchanged: bool = False, actor: User | None = None
) -> Transaction:
    """Change the named fields of a transaction; return its new state.

    `actor` does it, by default the owner; what anybody else does is in the access log.

    `row` may be out of date: the update is conditional on its version and, after a miss, is retried
    on the current row. So the old values that the totals subtract are correct. Every miss means
    that another write went through.

    Raises:
        NotFound: it was deleted meanwhile.
        ExternalIdTaken: the user has another one with this `external_id`.
        InvalidInput: the amount has more decimals than the currency, and either is new.
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    taken = _naming_the_existing(row.user_id, changes.get("external_id"))
    with taken, write_fence(row.user_id), transaction.atomic():
        while True:
            after = _changed(row, changes)
            if _replace(before=row, after=after, fields=changes):
                break
            row = _present(row, if_unchanged)
        _followed(Change(before=row, after=after))
        accountability.log_change(actor, before=row, after=after, fields=changes)
    return after


def delete(*, row: Transaction, if_unchanged: bool = False, actor: User | None = None) -> None:
    """Delete a transaction; `row` may be out of date. `actor` is as for `amend`.

    Raises:
        NotFound: another request has deleted it.
        PreconditionFailed: the deletion was conditional, and the transaction differs from `row`.
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    with write_fence(row.user_id), transaction.atomic():
        # Raw, so that it stays one statement: once a row refers to transactions, QuerySet.delete()
        # first reads and then deletes by id, regardless of the version.
        while not (rows := _same_version(row))._raw_delete(rows.db):
            row = _present(row, if_unchanged)
        _followed(Change(before=row, after=None))
        accountability.log_deletion(actor, row)


def _record(
    owner: User, draft: Draft, id_: UUID, recorded_by: int | None = None
) -> tuple[Transaction, Decimal | None]:
    """The new transaction, and what its wallet holds now."""
    require_recordable(draft)
    row = _row(owner, draft, clock.now(), id_, recorded_by)
    with write_fence(owner.pk):
        movement = balances.movement_of(row)
        if movement is None:
            _insert_one(row)
            return row, None
        if row.external_id is None:
            return row, _insert_and_move(row, movement)
        # Two steps, because either may be refused, and then the other has to be undone.
        with transaction.atomic():
            _insert_one(row)
            return row, movements.move_one(row.user_id, movement)


def _insert_one(row: Transaction) -> None:
    rows = (row, *_following(Change(before=None, after=row)))
    if row.external_id is None:
        inserts.insert(*rows)
    elif not inserts.insert_unless_taken(*rows):
        # The conflicting transaction may be gone again when we look.
        raise _taken(queries.id_of_external(row.user_id, row.external_id))


def _insert_and_move(row: Transaction, movement: Movement) -> Decimal:
    others = _following(Change(before=None, after=row))
    insert = partial(inserts.insert_if, movements.moving(row.user_id, movement), row, *others)
    if not (outcome := insert()).inserted:
        # A balance is opened and moved in one transaction: the wallet may not be closed in between.
        with transaction.atomic():
            while not outcome.inserted:
                movements.open_or_refuse(row.user_id, movement)
                outcome = insert()
    left: Decimal = outcome.value
    return left


def require_recordable(draft: Draft) -> None:
    """Check what only the whole draft can tell.

    Raises:
        InvalidInput: the amount has more decimals than its currency.
    """
    _require_decimals(draft.transaction_amount, draft.currency)


def _row(
    owner: User, draft: Draft, now: datetime, id_: UUID, recorded_by: int | None = None
) -> Transaction:
    # Field by field: asdict() copies deeply, which for many drafts takes as long as encryption.
    values = {field.name: getattr(draft, field.name) for field in fields(draft)}
    values["recorded_by"] = recorder(owner.pk, recorded_by)
    return Transaction(id=id_, user=owner, created_at=now, updated_at=now, **values)


def _insert(user_id: int, rows: list[Transaction]) -> dict[UUID, ExternalIdTaken]:
    """Insert the rows whose external id is free; return the refusals of the others, by id."""
    # In one order, so that two writers that want the same ids do not deadlock.
    named = sorted((row for row in rows if row.external_id), key=lambda row: str(row.external_id))
    plain = [row for row in rows if not row.external_id]
    inserts.copy(plain)
    # This waits for a writer of the same external id that has not committed yet.
    Transaction.objects.bulk_create(named, INSERTED_AT_ONCE, ignore_conflicts=True)
    holders = queries.ids_of_external(user_id, [str(row.external_id) for row in named])
    refusals = {}
    for row in named:
        holder = holders.get(str(row.external_id))
        if holder != row.pk:
            # None: the conflicting transaction is gone again.
            refusals[row.pk] = ExternalIdTaken(existing_id=holder and str(holder))
    return refusals


def _first_taken(rows: list[Transaction], refusals: dict[UUID, ExternalIdTaken]) -> ExternalIdTaken:
    index, row = next((n, row) for n, row in enumerate(rows) if row.pk in refusals)
    existing_id = refusals[row.pk].extra["existing_id"]
    for earlier, other in enumerate(rows[:index]):
        if str(other.pk) == existing_id:  # the other draft was not recorded either
            return ExternalIdTaken(existing_id=None, index=index, first_index=earlier)
    return ExternalIdTaken(existing_id=existing_id, index=index)


def _first_unsettled(rows: list[Transaction], refusals: dict[UUID, DomainError]) -> DomainError:
    index, refusal = next((n, refusals[row.pk]) for n, row in enumerate(rows) if row.pk in refusals)
    return type(refusal)(index=index)


def _take_back(user_id: int, unsettled: Collection[UUID]) -> None:
    """Delete rows that were inserted before the balance turned out to be too low."""
    if unsettled:
        rows = Transaction.objects.filter(user_id=user_id, id__in=unsettled)
        rows._raw_delete(rows.db)


def _taken_or_repeated(
    taken: dict[UUID, ExternalIdTaken], unsettled: Collection[UUID]
) -> dict[UUID, DomainError]:
    # Not recorded in a second round: others may already wait for our wallets, and we would wait for
    # their ids.
    gone = {str(id_) for id_ in unsettled}
    return {
        id_: ExternalIdRepeated() if refusal.extra["existing_id"] in gone else refusal
        for id_, refusal in taken.items()
    }


def _changed(row: Transaction, changes: Values) -> Transaction:
    after = copy.copy(row)
    # The column has room for four decimals, so the amount read from it does not show how many
    # decimals it was written with.
    after.transaction_amount = row.transaction_amount.normalize()
    for field, value in changes.items():
        setattr(after, field, value)
    _require_decimals(after.transaction_amount, after.currency)
    after.version = row.version + 1
    after.updated_at = clock.now()
    return after


def _require_decimals(amount: Decimal, currency: str) -> None:
    try:
        money.require_decimals(amount, currency)
    except money.MalformedAmount as error:
        raise InvalidInput("transaction_amount", error.code, str(error)) from None


def _replace(*, before: Transaction, after: Transaction, fields: Values) -> bool:
    """Compare-and-set on the version; return whether it was still the one we read."""
    # Only the named fields are written, so a token that cannot be read at the moment stays.
    values = {name: getattr(after, name) for name in fields}
    if "full_name" in values:
        index = blind_index(Transaction, "full_name")
        values[index.attname] = index.digest(after.full_name)
    updated = _same_version(before).update(
        **values, version=F("version") + 1, updated_at=after.updated_at
    )
    return bool(updated)


def _same_version(row: Transaction) -> Any:
    return Transaction.objects.filter(user_id=row.user_id, id=row.pk, version=row.version)


def _present(row: Transaction, if_unchanged: bool) -> Transaction:
    if if_unchanged:
        raise PreconditionFailed()
    present = Transaction.objects.filter(user_id=row.user_id, id=row.pk).first()
    if present is None:
        raise NotFound()
    return present


def _followed(change: Change) -> None:
    """Move the wallets and insert what higher apps add, once the row is written."""
    balances.follow(change)
    inserts.insert_all(_following(change))


def _following(*changes: Change) -> list[Model]:
    """The rows that higher apps add to their tables."""
    answers: list[Any] = transactions_changed.send(sender=Transaction, changes=list(changes))
    return [row for _, rows in answers for row in rows or ()]


@contextmanager
def _naming_the_existing(user_id: int, external_id: str | None) -> Iterator[None]:
    """Turn the refusal of a second `external_id` into one that names the first.

    The constraint's name is not parsed: the only other unique value is the id.
    """
    try:
        yield
    except IntegrityError as error:
        existing = external_id and queries.id_of_external(user_id, external_id)
        if existing or (external_id and isinstance(error.__cause__, UniqueViolation)):
            raise _taken(existing) from None
        raise


def _taken(existing: UUID | str | None) -> ExternalIdTaken:
    return ExternalIdTaken(existing_id=str(existing) if existing else None)
