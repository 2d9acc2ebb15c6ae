"""Imports for staff: the list, the form that imports a file, cancelling and undoing."""

from __future__ import annotations

from contextlib import closing
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from rest_framework.exceptions import APIException

from accounts.models import User
from accounts.staff.access import SearchedByUserAdmin
from fido.lib.api import uploads
from fido.lib.api.problems import status_of
from fido.lib.staff.pages import ReadOnlyAdmin
from fido.lib.values.errors import DomainError, NotFound
from fido.lib.values.ids import new_id
from transactions.imports import operations
from transactions.imports.admin.forms import FileOfForm, UploadForm
from transactions.imports.admin.undo import UndoneAdmin
from transactions.imports.intake import Intake
from transactions.imports.models import MAX_ERRORS, Import
from transactions.imports.submission import submitted

UPLOAD_PAGE = "admin/imports/import/upload.html"
Refusal = DomainError | APIException


@admin.register(Import)
class ImportAdmin(UndoneAdmin, SearchedByUserAdmin, ReadOnlyAdmin):
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

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        unfinished = kwargs["obj"].status in Import.UNFINISHED
        context["may_cancel"] = unfinished and self.has_cancel_permission(request)
        something_left = not unfinished and kwargs["obj"].rows_left > 0
        context["may_undo"] = something_left and self.has_undo_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="format")
    def format(self, row: Import) -> str:
        return str(row.layout["form"]).upper()

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

    @method_decorator(csrf_exempt)
    @method_decorator(uploads.streams_its_body)
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form that imports a file. Without the permission, nothing of the file is read."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._upload_page(request, UploadForm())
        try:
            return self._uploaded(request)
        except (DomainError, APIException) as refusal:
            return self._upload_page(request, UploadForm(), refusal)

    def _uploaded(self, request: HttpRequest) -> HttpResponse:
        with closing(Intake(new_id())) as intake:
            file = FileOfForm(intake)
            uploads.read_form(request, file)
            # Only now, because the token is in the body.
            return csrf_protect(self._submitted)(request, file)

    def _submitted(self, request: HttpRequest, file: FileOfForm) -> HttpResponse:
        form = UploadForm(request.POST)
        if not form.is_valid():
            return self._upload_page(request, form, file.refusal)
        try:
            row = submitted(file.accepted(), owner=form.owner(), sender=cast(User, request.user))
        except DomainError as refusal:
            return self._upload_page(request, form, refusal)
        self.log_addition(request, row, "Imported a file.")
        self.message_user(request, f"Import {row.pk} is queued. Reload to see its progress.")
        if self.has_view_permission(request):
            return redirect("admin:imports_import_change", row.pk)
        return redirect("admin:imports_import_add")

    def _upload_page(
        self, request: HttpRequest, form: UploadForm, refusal: Refusal | None = None
    ) -> HttpResponse:
        """The page with the form. A refusal has the same status as in the API."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a file",
            "form": form,
            "refusal": refusal and _reason(refusal),
            "may_view": self.has_view_permission(request),
        }
        status = _status(refusal) if refusal else 400 if form.is_bound else 200
        return TemplateResponse(request, UPLOAD_PAGE, context, status=status)


def _reason(refusal: Refusal) -> str:
    return refusal.detail if isinstance(refusal, DomainError) else _first(refusal.detail)


def _first(detail: Any) -> str:
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)


def _status(refusal: Refusal) -> int:
    return status_of(refusal) if isinstance(refusal, DomainError) else refusal.status_code


def _cancelled(row: Import) -> bool:
    try:
        operations.cancel(row=row)
    except (operations.ImportFinished, NotFound):
        return False
    return True
