"""Exports the list of transactions, for staff."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.operations import log_access
from accounts.staff.access import may_open, user_ids
from fido.lib.api.downloads import download, require_chunks
from fido.lib.staff.pages import AnyModelAdmin
from fido.lib.values.errors import DomainError
from transactions.exports import Export
from transactions.files.formats import FORMATS

LIST, EXPORT = "admin:transactions_transaction_changelist", "admin:transactions_transaction_export"
CSV = FORMATS["csv"]


class ExportAdmin(AnyModelAdmin):
    """Adds links that export the whole list, as filtered, as CSV.

    Names are masked as in the list. If the search has found one user, staff who may open names get
    a second link, with that user's names in clear; following it is logged in the access log.
    """

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.export))
        name = EXPORT.partition(":")[2]
        ours = [
            path("export/", view, name=name),
            path("export/<user_id:user_id>/", view, name=name),
        ]
        return [*ours, *super().get_urls()]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        # The page's template shows these beside the list.
        changelist.exports = list(self._links(request, changelist))  # type: ignore[attr-defined]
        return changelist

    def _links(self, request: HttpRequest, changelist: ChangeList) -> Any:
        query = changelist.get_query_string(remove=[PAGE_VAR])
        yield "Export CSV", reverse(EXPORT) + query
        if changelist.query and may_open(request):
            found = User.objects.filter(pk__in=user_ids(changelist.query.strip()))[:2]
            if len(found) == 1:
                title = f"Export CSV of {found[0].username} with names"
                yield title, reverse(EXPORT, args=[found[0].pk]) + query

    def export(self, request: HttpRequest, user_id: int | None = None) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if user_id is not None:
            _require_openable(request, user_id)
        try:
            return self._file(request, self.get_changelist_instance(request), user_id)
        except IncorrectLookupParameters:
            return redirect(reverse(LIST, query={"e": 1}))
        except DomainError as refusal:
            self.message_user(request, refusal.detail, messages.WARNING)
            return redirect(f"{reverse(LIST)}?{request.GET.urlencode()}")

    def _file(
        self, request: HttpRequest, changelist: ChangeList, user_id: int | None
    ) -> HttpResponseBase:
        require_chunks(request)
        named: Any = {"media_type": CSV.media_type, "name": CSV.file_name}
        if request.method == "HEAD":
            return download(request, (), **named)
        viewer: Any = request.user
        rows = changelist.queryset.order_by(*self.ordering or ())
        if user_id is not None:
            rows = rows.filter(user_id=user_id)
            log_access(
                actor=viewer, subject_id=user_id, what="export of transactions", route="admin"
            )
        export = Export(rows, viewer_id=viewer.pk, file_format=CSV, masked=user_id is None)
        return download(request, export.opened(), **named)


def _require_openable(request: HttpRequest, user_id: int) -> None:
    if not may_open(request):
        raise PermissionDenied
    if not User.objects.filter(pk=user_id).exists():
        raise Http404
