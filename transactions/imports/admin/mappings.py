"""Saved mappings for staff: the list, the record, and deleting. They are made on a file's page."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.staff.access import SearchedByUserAdmin
from fido.lib.staff.pages import BigTableAdmin
from fido.lib.values.errors import NotFound
from transactions.imports import saved
from transactions.imports.models import SavedMapping


@admin.register(SavedMapping)
class SavedMappingAdmin(SearchedByUserAdmin, BigTableAdmin):
    ordering = ("-id",)  # the id grows with time, and has an index
    list_display = ("name", "user", "created_at", "updated_at")
    list_select_related = ("user",)
    fields = ("name", "user", "columns", "rest", "version", "created_at", "updated_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="columns")
    def columns(self, row: SavedMapping) -> SafeString:
        cells = ((name, *_said(column)) for name, column in row.mapping["columns"].items())
        lines = format_html_join("", "<tr><td>{}<td>{}<td>{}", cells)
        return format_html("<table><tr><th>column<th>is the<th>and{}</table>", lines)

    @admin.display(description="for the whole file")
    def rest(self, row: SavedMapping) -> str:
        return _listed({name: row.mapping[name] for name in row.mapping if name != "columns"})

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[SavedMapping]) -> Any:
        """Django's says neither whose they were, nor would anybody find out later."""
        log = partial(LogEntry.objects.log_actions, cast(User, request.user).pk)
        return [log([row], DELETION, f"Deleted for user {row.user_id}.") for row in queryset]

    def delete_model(self, request: HttpRequest, obj: SavedMapping) -> None:
        with suppress(NotFound):  # by somebody else, since this page was opened
            saved.delete(row=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SavedMapping]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _said(column: dict[str, Any]) -> tuple[str, str]:
    return column["role"], _listed({name: column[name] for name in column if name != "role"})


def _listed(values: dict[str, Any]) -> str:
    """On one line, as in `format: %d.%m.%Y`; nested ones are flat."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return ", ".join(f"{name}: {'none' if value == '' else value}" for name, value in flat.items())
