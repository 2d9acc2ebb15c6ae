"""The page that shows what standing checks have found."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.staff.access import SearchedByUserAdmin
from analytics.checks import queries
from analytics.checks.models import Finding
from fido.lib.staff.pages import ReadOnlyAdmin


@admin.register(Finding)
class FindingAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    """Findings, below the state of the checks. Users are shown by id alone."""

    ordering = ("user_id", "kind", "id")
    list_display = ("user_id", "kind", "count", "first", "found_at")
    fields = list_display
    list_filter = ("kind",)
    change_list_template = "admin/checks/finding/state.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"state": queries.state()}
        return super().changelist_view(request, (extra_context or {}) | shown)

    @admin.display(description="since (UTC)")
    def found_at(self, row: Finding) -> str:
        return f"{row.since:%Y-%m-%d %H:%M:%S}"
