"""Queries about imports."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from transactions.imports.models import Import
from transactions.models import Transaction


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
