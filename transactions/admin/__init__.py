"""Transactions for staff, read-only."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.staff.access import (
    LoggedRecordAdmin,
    SearchedByUserAdmin,
    log_search,
    may_open,
    user_ids,
)
from fido.lib.staff.pages import (
    MAX_ROWS,
    CurrencyFilter,
    ReadOnlyAdmin,
    money_cell,
    secret_cell,
    with_presence,
)
from fido.lib.values import clock
from fido.lib.values.crypto.fields import matching
from fido.lib.values.crypto.masking import HIDDEN, masked_name
from transactions.admin.export import ExportAdmin
from transactions.files.columns import NAMES, SECRET
from transactions.models import Transaction

NOTHING = Q(pk__in=())
# Columns that a record's page shows through other fields.
SHOWN_AS = {
    "user_id": "user",
    "transaction_date": "exact_date",
    "transaction_amount": "amount",
}


@admin.register(Transaction)
class TransactionAdmin(LoggedRecordAdmin, SearchedByUserAdmin, ExportAdmin, ReadOnlyAdmin):
    ordering = ("-transaction_date", "-id")
    list_display = ("date", "user", "masked_full_name", "amount", "currency", "transaction_type")
    list_filter = ("transaction_date", "transaction_type", CurrencyFilter)
    list_select_related = ("user",)
    search_help_text = (
        "An id, an external id, a user's id or whole user name, "
        "or a whole name, unless it is also a user name."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return with_presence(super().get_queryset(request), "full_name", "description")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All fields that clients see, and the version."""
        secret = "clear" if may_open(request) else "masked"
        shown_as = SHOWN_AS | {name: f"{secret}_{name}" for name in SECRET}
        return (*(shown_as.get(name, name) for name in NAMES), "version")

    def matching(self, request: HttpRequest, term: str) -> Q:
        found = self._with_ids_or_name(request, term)
        external = Transaction.objects.filter(external_id=term).values_list("pk", flat=True)
        # Looked up separately, and combined with OR only if necessary: with an OR, PostgreSQL no
        # longer reads a user's rows in order from an index, but scans everybody's.
        ids = list(external[:MAX_ROWS])
        return found | Q(pk__in=ids) if ids else found

    def _with_ids_or_name(self, request: HttpRequest, term: str) -> Q:
        if (id_ := _as_uuid(term)) is not None:
            return Q(pk=id_)
        if users := user_ids(term):
            return Q(user__in=users)
        if not may_open(request):
            return NOTHING
        # Finding a name is as good as reading it.
        log_search(request, term, "search of transactions by name")
        return matching(Transaction, "full_name", term)

    @admin.display(description="date (UTC)")
    def date(self, row: Transaction) -> str:
        return f"{row.transaction_date:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="transaction date")
    def exact_date(self, row: Transaction) -> str:
        return clock.text(row.transaction_date)

    @admin.display(description="amount")
    def amount(self, row: Transaction) -> SafeString:
        """Negative for a debit."""
        sign = -1 if row.transaction_type == Transaction.Type.DEBIT else 1
        return money_cell(sign * row.transaction_amount, row.currency)

    masked_full_name = secret_cell("full_name", masked_name)
    clear_full_name = secret_cell("full_name")
    masked_description = secret_cell("description", lambda text: text and HIDDEN)
    clear_description = secret_cell("description")


def _as_uuid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
