"""How staff undo imports: an action that asks before it does anything."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from fido.lib.staff.pages import AnyModelAdmin
from fido.lib.values.errors import DomainError
from transactions.imports import undoing
from transactions.imports.models import MAX_KEPT, Import
from transactions.imports.submission import undo_submitted

PAGE = "admin/imports/import/undo.html"


class UndoneAdmin(AnyModelAdmin):
    """The action, and what an undo has left."""

    def has_undo_permission(self, request: HttpRequest) -> bool:
        """Those with which staff may cancel an import, and delete its transactions one by one."""
        permissions = ("imports.change_import", "transactions.delete_transaction")
        return request.user.has_perms(permissions)

    @admin.action(permissions=["undo"], description="Undo these imports")
    def undo(self, request: HttpRequest, queryset: QuerySet[Import]) -> HttpResponse | None:
        """Delete what the imports created, once the user has confirmed it."""
        if "confirmed" not in request.POST:
            return self._asked(request, queryset)
        for row in queryset:
            self._undo(request, row)
        return None

    @admin.display(description=f"the first {MAX_KEPT:,} kept")
    def left(self, row: Import) -> SafeString | None:
        if not row.kept:
            return None
        cells = ((each["id"], each["code"]) for each in row.kept)
        lines = format_html_join("", "<tr><td>{}<td>{}", cells)
        return format_html("<table><tr><th>transaction<th>why{}</table>", lines)

    def _asked(self, request: HttpRequest, queryset: QuerySet[Import]) -> HttpResponse:
        imports = queryset.select_related("user")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Undo imports",
            "imports": imports,
            "rows": sum(row.rows_left for row in imports),
        }
        return TemplateResponse(request, PAGE, context)

    def _undo(self, request: HttpRequest, row: Import) -> None:
        undoing.log(actor=cast(User, request.user), row=row, route="admin")
        try:
            undo_submitted(row)
        except DomainError as refusal:
            said = f"Import {row.pk} stays as it is: {refusal.detail}"
            self.message_user(request, said, messages.ERROR)
            return
        self.log_change(request, row, "Undone.")
        self.message_user(request, f"Import {row.pk} is being undone. Reload to see its progress.")
