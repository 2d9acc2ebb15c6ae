"""HTTP for exports: permissions, masking and format."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.models import User
from accounts.operations import log_access
from fido.lib.api.downloads import download, require_chunks
from transactions import queries
from transactions.api.rights import require_name_search
from transactions.api.serializers import ExportSerializer
from transactions.exports import Export
from transactions.files.formats import FORMATS

NOT_BY_NAME = OpenApiResponse(description="Staff who may not open names may not search by them.")
FILE = OpenApiResponse(OpenApiTypes.STR, description="One transaction per line, as in the list.")
RESPONSES = {(200, "text/csv"): FILE, (200, "application/x-ndjson"): FILE, 403: NOT_BY_NAME}


class AnyForm(DefaultContentNegotiation):
    """The parameter `format` selects the file format; `Accept` is ignored."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def file_of(request: Request) -> StreamingHttpResponse:
    """The file that the query asks for. An access to another user's names is logged first."""
    viewer = caller(request)
    query = ExportSerializer.read(request)
    require_name_search(viewer, query)
    require_chunks(request)
    form = FORMATS[query["format"]]
    named: Any = {"media_type": form.media_type, "name": form.file_name}
    if request.method == "HEAD":
        return download(request, (), **named)
    subject_id = _names_of(viewer, query.get("user_id"))
    if subject_id is not None:
        log_access(actor=viewer, subject_id=subject_id, what="export of transactions", route="api")
    rows = queries.history(viewer=viewer, filters=query)
    export = Export(
        rows.order_by(*queries.ordering(query["order"])),
        viewer_id=viewer.pk,
        file_format=form,
        masked=subject_id is None,
    )
    return download(request, export.opened(), **named)


def _names_of(viewer: User, user_id: int | None) -> int | None:
    """The id of the user whose names the file has in clear: the viewer, or one other user if the
    viewer may open names.
    """
    if user_id == viewer.pk or not viewer.may_for_others("transactions.view_transaction"):
        return viewer.pk
    if user_id is None or not viewer.may_for_others("accounts.view_personal_data"):
        return None
    # An unknown user has no log entry and no rows.
    return user_id if User.objects.filter(pk=user_id).exists() else None
