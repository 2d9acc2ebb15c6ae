"""Imports for staff: the list, the record, cancelling and undoing. Uploading is beside it.

Saved mappings have pages of their own, in `mappings`.
"""

from __future__ import annotations

import csv
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.staff.access import SearchedByUserAdmin
from fido.lib.staff.pages import ReadOnlyAdmin
from fido.lib.values.errors import NotFound
from transactions.imports import operations
from transactions.imports.admin.mappings import SavedMappingAdmin
from transactions.imports.admin.undo import UndoneAdmin
from transactions.imports.admin.uploading import UploadPages
from transactions.imports.models import MAX_ERRORS, Import

__all__ = ["ImportAdmin", "SavedMappingAdmin"]
ERROR_FIELDS = ("line", "column", "code", "detail")


@admin.register(Import)
class ImportAdmin(UploadPages, UndoneAdmin, SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-id",)  # the id grows with time, and has an index
    list_display = ("created_at", "user", "status", "rows_created", "rows_refused")
    list_filter = ("status",)
    list_select_related = ("user",)
    user_fields = ("user", "created_by")
    search_help_text = "An import's id, or the id or whole user name of its user or of its sender."
    fields = (
        *("id", "user", "created_by", "status", "failure", "failure_detail", "format", "size"),
        *("rows_read", "rows_created", "rows_refused", "rows_pending", "rows_undone", "rows_kept"),
        *("created_at", "finished_at", "told", "refused", "left"),
    )
    change_list_template = "admin/imports/import/list.html"
    change_form_template = "admin/imports/import/record.html"
    actions = ("cancel", "undo")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        return super().get_queryset(request).defer("errors", "kept")

    def matching(self, request: HttpRequest, term: str) -> Q:
        try:
            return Q(pk=UUID(term))
        except ValueError:
            return super().matching(request, term)

    # --- who may do what ---

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission to record single transactions for others, as in the API."""
        return request.user.has_perm("transactions.add_transaction")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or self.has_add_permission(request)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("imports.change_import")

    # --- how it is shown ---

    def get_urls(self) -> list[Any]:
        refused = self.admin_site.admin_view(self.refused_view)
        name = "imports_import_refused"
        return [path("<uuid:import_id>/refused.csv", refused, name=name), *super().get_urls()]

    def refused_view(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """The errors as CSV. They quote nothing from the file."""
        row = self.get_object(request, str(import_id))
        if row is None or not self.has_view_permission(request, row):
            raise PermissionDenied
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="import-{import_id}-refused.csv"'
        writer = csv.DictWriter(answer, ERROR_FIELDS)
        writer.writeheader()
        writer.writerows(row.errors)
        return answer

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        unfinished = kwargs["obj"].status in Import.UNFINISHED
        context["unfinished"] = unfinished
        context["may_cancel"] = unfinished and self.has_cancel_permission(request)
        something_left = not unfinished and kwargs["obj"].rows_left > 0
        context["may_undo"] = something_left and self.has_undo_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="format")
    def format(self, row: Import) -> str:
        form = str(row.layout["form"]).upper()
        return f"{form}, of many people" if row.is_by_user else form

    @admin.display(description="size")
    def size(self, row: Import) -> str:
        return filesizeformat(row.size_bytes)

    @admin.display(description="warnings")
    def told(self, row: Import) -> SafeString | None:
        if not row.warnings:
            return None
        return format_html_join("", "<div>{}</div>", ((each["detail"],) for each in row.warnings))

    @admin.display(description=f"the first {MAX_ERRORS:,} errors")
    def refused(self, row: Import) -> SafeString | None:
        """The errors quote nothing from the file."""
        if not row.errors:
            return None
        cells = ((e["line"], e["column"], e["code"], e["detail"]) for e in row.errors)
        lines = format_html_join("", "<tr><td>{}<td>{}<td>{}<td>{}", cells)
        return format_html(
            "<table><tr><th>line<th>column<th>code<th>what is wrong{}</table>", lines
        )

    # --- what is done ---

    @admin.action(permissions=["cancel"], description="Cancel these imports")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Import]) -> None:
        """Cancel the imports. Rows that they have created stay."""
        rows = list(queryset)
        cancelled = [row for row in rows if _cancelled(row)]
        for row in cancelled:
            self.log_change(request, row, "Cancelled.")
        self.message_user(request, f"Cancelled: {len(cancelled)}.")
        if ended := len(rows) - len(cancelled):
            self.message_user(request, f"Already ended: {ended}.", messages.WARNING)


def _cancelled(row: Import) -> bool:
    try:
        operations.cancel(row=row)
    except (operations.ImportFinished, NotFound):
        return False
    return True
