"""Queries about imports."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now

from fido.lib.values import clock
from transactions.imports.models import Import, ImportBatch
from transactions.models import Transaction

SIMILAR = """\
SELECT place - 1 FROM unnest(%s::timestamptz[], %s::numeric[], %s::text[], %s::text[])
    WITH ORDINALITY AS row (day, amount, type, currency, place)
WHERE EXISTS (
    SELECT FROM transactions_transaction
    WHERE user_id = %s AND transaction_date >= day AND transaction_date < day + interval '1 day'
        AND transaction_amount = amount AND transaction_type = type
        AND transactions_transaction.currency = row.currency
)
ORDER BY place"""


def nobodys() -> Q:
    """Imports without a lease, or with an expired one."""
    return Q(leased_until__isnull=True) | Q(leased_until__lt=Now())


def waiting(longer_than_seconds: float) -> list[tuple[int, UUID]]:
    """User and id of each import that has waited so long for a worker, the oldest first."""
    before = Now() - timedelta(seconds=longer_than_seconds)
    rows = Import.objects.filter(nobodys(), status__in=Import.UNFINISHED, created_at__lt=before)
    return list(rows.order_by("created_at").values_list("user_id", "id"))


def unfinished() -> set[UUID]:
    return set(Import.objects.filter(status__in=Import.UNFINISHED).values_list("id", flat=True))


def unfinished_of(user_id: int) -> QuerySet[Import]:
    return Import.objects.filter(user_id=user_id, status__in=Import.UNFINISHED)


def owner_of(import_id: UUID) -> tuple[int, int] | None:
    """Whose transactions it creates, and who sent it: the one lookup without a user id."""
    return Import.objects.filter(id=import_id).values_list("user_id", "created_by_id").first()


def external_ids_in_use(user_id: int, external_ids: Collection[str]) -> set[str]:
    """Those external ids that the user's transactions have."""
    rows = Transaction.objects.filter(user_id=user_id, external_id__in=external_ids)
    return {found for found in rows.values_list("external_id", flat=True) if found is not None}


def similar(user_id: int, rows: Sequence[dict[str, Any]]) -> list[int]:
    """The places of those rows for whose day the user has one of this amount, type and currency."""
    names = ("transaction_amount", "transaction_type", "currency")
    columns = [[row[name] for row in rows] for name in names]
    days = [clock.midnight(row["transaction_date"].date()) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(SIMILAR, [days, *columns, user_id])
        return [place for (place,) in cursor.fetchall()]


def rows_known(row: Import) -> int:
    """How many of the rows that it created are known by their ids."""
    batches = ImportBatch.objects.filter(user_id=row.user_id, source_id=row.pk)
    known: int = batches.aggregate(rows=Sum("rows", default=0))["rows"]
    return known


def owners(row: Import) -> list[int]:
    """The users whose rows an undo of this import would delete."""
    batches = ImportBatch.objects.filter(user_id=row.user_id, source_id=row.pk, left__gt=0)
    return sorted({batch.owned_by for batch in batches.only("user_id", "owner_id")})


def next_to_undo(row: Import) -> ImportBatch | None:
    """The last of the batches that the undo has not come to, of those that left anything."""
    batches = ImportBatch.objects.filter(user_id=row.user_id, source_id=row.pk, left__gt=0)
    if row.undone_to is not None:
        batches = batches.filter(position__lt=row.undone_to)
    return batches.order_by("-position").first()


def present_rows(batch: ImportBatch) -> list[UUID]:
    """The ids of those rows of the batch that are there, the last first."""
    rows = Transaction.objects.filter(user_id=batch.owned_by, id__range=(batch.first, batch.last))
    return list(rows.order_by("-id").values_list("id", flat=True))
