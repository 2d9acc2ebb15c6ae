"""Admin pages for the rates in force and their history, read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join

from accounts.rates import queries
from accounts.rates.models import PublishedTable
from accounts.rates.table import RatesUnavailable, RateTable
from fido.lib.staff.pages import ReadOnlyAdmin


@admin.register(PublishedTable)
class PublishedTableAdmin(ReadOnlyAdmin):
    """History, below the table in force, which may be the one that ships with Fido."""

    ordering = ("letter", "-effective_date", "-id")
    list_display = ("letter", "effective_date", "fetched_at", "currencies")
    list_filter = ("letter",)
    fields = ("letter", "effective_date", "fetched_at", "rates")
    change_list_template = "admin/rates/in_force.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"in_force": _in_force(), "sync": queries.sync_state()}
        return super().changelist_view(request, (extra_context or {}) | shown)

    @admin.display(description="currencies")
    def currencies(self, row: PublishedTable) -> int:
        return len(row.prices)

    @admin.display(description="rates")
    def rates(self, row: PublishedTable) -> str:
        lines = [
            (code, ", ".join(f"{column} {price}" for column, price in sorted(prices.items())))
            for code, prices in sorted(row.prices.items())
        ]
        return format_html_join("", "<div>{}: {}</div>", lines)


def _in_force() -> RateTable | None:
    try:
        return queries.in_force()
    except RatesUnavailable:
        return None
