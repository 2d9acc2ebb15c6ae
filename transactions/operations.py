"""The only place that writes transactions. HTTP is not known here."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from psycopg.errors import UniqueViolation

from accounts.models import User
from accounts.wallets import queries as wallets
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock, money
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.errors import DomainError, InvalidInput, NotFound, PreconditionFailed
from fido.lib.values.ids import Block, new_id
from transactions import balances, queries
from transactions.models import Transaction
from transactions.signals import Change, transactions_changed

INSERTED_AT_ONCE = 1000


class ExternalIdTaken(DomainError):
    """The user has another transaction of this external id; `existing_id` says which.

    None, where it was deleted at the same moment.
    """

    code, title = "external-id-taken", "There is a transaction with this external_id."


class ExternalIdRepeated(DomainError):
    """Nobody has this external id; the row may be sent again."""

    code = "external-id-repeated"
    title = "An earlier row has this external_id, and was refused."


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A transaction as somebody means it, before it has an id.

    `transaction_amount` is positive, in `currency`'s units (not cents) and with no more decimals
    than it has; `transaction_date` is aware. `full_name` and `description` are in clear.
    `wallet_id` is a wallet of the owner, whose balance it moves.
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


def record(*, owner: User, draft: Draft, id_: UUID | None = None) -> Transaction:
    """Records one credit or debit, and moves its wallet; totals are exact once this commits.

    `id_` is for who knows what came before it, and sees to the order of ids.

    Raises:
        ExternalIdTaken: the owner has one with this `external_id`.
        InvalidInput: the amount is written with more decimals than its currency has.
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    require_recordable(draft)
    row = _row(owner, draft, clock.now(), id_ or new_id())
    taken = _naming_the_existing(owner.pk, draft.external_id)
    with taken, write_fence(owner.pk), transaction.atomic():
        row.save(force_insert=True)
        _followed(Change(before=None, after=row))
    return row


def record_in_wallet(*, owner: User, draft: Draft) -> tuple[Transaction, Decimal]:
    """Records one that names a wallet, and tells what the wallet then held of the currency.

    Raises as `record` does.
    """
    assert draft.wallet_id is not None
    with write_fence(owner.pk), transaction.atomic():
        row = record(owner=owner, draft=draft)
        # Nobody else moves it before this commits.
        return row, wallets.amount(owner.pk, (draft.wallet_id, draft.currency))


def record_many(
    *, owner: User, drafts: Sequence[Draft], atomic: bool = True
) -> list[Transaction | DomainError]:
    """Records many of one user in one database transaction; what became of each, in order.

    Wallets are moved by one after another. An `external_id` that is taken, also by an earlier
    draft and be that refused, refuses its draft alone, and so does a balance that cannot be moved
    so; if `atomic`, it refuses them all.

    Raises:
        ExternalIdTaken: if `atomic`. `index` says which draft was refused, and `first_index`,
            where it was, which other draft has the same `external_id`.
        InsufficientFunds, BalanceTooLarge, WalletClosed: if `atomic`, with `index`.
        InvalidInput: an amount is written with more decimals than its currency has.
    """
    for draft in drafts:
        require_recordable(draft)
    now = clock.now()
    block = Block()
    rows = [_row(owner, draft, now, block.id(n)) for n, draft in enumerate(drafts)]
    with write_fence(owner.pk), transaction.atomic():
        taken = _insert(owner.pk, rows)
        if taken and atomic:
            raise _first_taken(rows, taken)
        inserted = [row for row in rows if row.pk not in taken]
        unsettled = balances.follow_all(owner.pk, inserted)
        if unsettled and atomic:
            raise _first_unsettled(rows, unsettled)
        _take_back(owner.pk, unsettled)
        _announce(*(Change(None, after=row) for row in inserted if row.pk not in unsettled))
    refusals = {**_taken_or_repeated(taken, unsettled), **unsettled}
    return [refusals.get(row.pk, row) for row in rows]


def amend(*, row: Transaction, changes: dict[str, Any], if_unchanged: bool = False) -> Transaction:
    """Changes the named fields of a transaction, and returns it as it now is.

    `row` may be out of date: the update is conditional on its version and, on a miss, is tried
    again on the row as it has become. So the old values that the totals take back are the true
    ones. Every miss means that somebody else's write went through.

    Raises:
        NotFound: it was deleted meanwhile.
        ExternalIdTaken: the user has another one with this `external_id`.
        InvalidInput: the amount has more decimals than the currency, of which one is new.
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
    return after


def delete(*, row: Transaction, if_unchanged: bool = False) -> None:
    """Deletes a transaction, of which `row` may be out of date.

    Raises:
        NotFound: somebody else has deleted it.
        PreconditionFailed: it is no longer as `row` says, and was to be deleted only so.
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    with write_fence(row.user_id), transaction.atomic():
        # Raw, so that it is one statement for good: once a row refers to transactions,
        # QuerySet.delete() first reads and then deletes by id, whatever the version.
        while not (rows := _same_version(row))._raw_delete(rows.db):
            row = _present(row, if_unchanged)
        _followed(Change(before=row, after=None))


def require_recordable(draft: Draft) -> None:
    """What only the whole draft can tell to be wrong.

    Raises:
        InvalidInput: the amount is written with more decimals than its currency has.
    """
    _require_decimals(draft.transaction_amount, draft.currency)


def _row(owner: User, draft: Draft, now: datetime, id_: UUID) -> Transaction:
    # Field by field: asdict() copies deeply, which for many takes as long as to encrypt them.
    values = {field.name: getattr(draft, field.name) for field in fields(draft)}
    return Transaction(id=id_, user=owner, created_at=now, updated_at=now, **values)


def _insert(user_id: int, rows: list[Transaction]) -> dict[UUID, ExternalIdTaken]:
    """Inserts the rows whose external id is free; why not, of the others, by their ids."""
    # In one order, so that of two that want the same ones neither waits for the other.
    named = sorted((row for row in rows if row.external_id), key=lambda row: str(row.external_id))
    plain = [row for row in rows if not row.external_id]
    Transaction.objects.bulk_create(plain, INSERTED_AT_ONCE)
    # Who has the same external id and has not committed yet is waited for.
    Transaction.objects.bulk_create(named, INSERTED_AT_ONCE, ignore_conflicts=True)
    holders = queries.ids_of_external(user_id, [str(row.external_id) for row in named])
    refusals = {}
    for row in named:
        holder = holders.get(str(row.external_id))
        if holder != row.pk:
            # None: what refused it is gone again.
            refusals[row.pk] = ExternalIdTaken(existing_id=holder and str(holder))
    return refusals


def _first_taken(rows: list[Transaction], refusals: dict[UUID, ExternalIdTaken]) -> ExternalIdTaken:
    index, row = next((n, row) for n, row in enumerate(rows) if row.pk in refusals)
    existing_id = refusals[row.pk].extra["existing_id"]
    for earlier, other in enumerate(rows[:index]):
        if str(other.pk) == existing_id:  # which is not recorded either
            return ExternalIdTaken(existing_id=None, index=index, first_index=earlier)
    return ExternalIdTaken(existing_id=existing_id, index=index)


def _first_unsettled(rows: list[Transaction], refusals: dict[UUID, DomainError]) -> DomainError:
    index, refusal = next((n, refusals[row.pk]) for n, row in enumerate(rows) if row.pk in refusals)
    return type(refusal)(index=index)


def _take_back(user_id: int, unsettled: Collection[UUID]) -> None:
    """Deletes again the rows that were inserted before it was known that there is too little."""
    if unsettled:
        rows = Transaction.objects.filter(user_id=user_id, id__in=unsettled)
        rows._raw_delete(rows.db)


def _taken_or_repeated(
    taken: dict[UUID, ExternalIdTaken], unsettled: Collection[UUID]
) -> dict[UUID, DomainError]:
    # Not recorded in a second round: others may wait for our wallets by now, and we for their ids.
    gone = {str(id_) for id_ in unsettled}
    return {
        id_: ExternalIdRepeated() if refusal.extra["existing_id"] in gone else refusal
        for id_, refusal in taken.items()
    }


def _changed(row: Transaction, changes: dict[str, Any]) -> Transaction:
    after = copy.copy(row)
    # The column has room for four decimals, so an amount that was read says nothing about how
    # it was written.
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


def _replace(*, before: Transaction, after: Transaction, fields: dict[str, Any]) -> bool:
    """Compare-and-set on the version; whether it was still the one we read."""
    # Only what was named is written: a token that cannot be read just now stays as it is.
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
    """Moves the wallets and tells higher apps, now that the rows say so."""
    balances.follow(change)
    _announce(change)


def _announce(*changes: Change) -> None:
    transactions_changed.send(sender=Transaction, changes=list(changes))


@contextmanager
def _naming_the_existing(user_id: int, external_id: str | None) -> Iterator[None]:
    """Turns the refusal of a second `external_id` into one that names the first.

    Which constraint refused is not read from its name: the only other unique value is the id.
    """
    try:
        yield
    except IntegrityError as error:
        # What refused may be gone again when we look.
        existing = external_id and queries.id_of_external(user_id, external_id)
        if existing or (external_id and isinstance(error.__cause__, UniqueViolation)):
            raise ExternalIdTaken(existing_id=existing and str(existing)) from None
        raise
