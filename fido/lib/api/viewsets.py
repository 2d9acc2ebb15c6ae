"""What the viewsets of all apps share, under DRF's own names.

A viewset states permissions, shapes and operations: `get_queryset`, `get_object`,
`serializer_class`, `perform_create`, `perform_update`, `perform_destroy`. This module adds:

* a POST that creates does its work once for each Idempotency-Key (`@idempotent`);
* a list has keyset pages, a strict query, and cached answers if `get_question` names them;
* a record has an ETag, and If-Match binds a write to what the client has read.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from fido.lib.api import conditional, scopes
from fido.lib.api.conditional import etag_of, json_answer
from fido.lib.api.idempotency import MakeIf, Write, caller_id, idempotent
from fido.lib.api.kept import kept_answer
from fido.lib.api.pagination import ListQuery
from fido.lib.api.schema import CONDITIONAL, IF_MATCH, etag_on
from fido.lib.api.serializers import QuerySerializer
from fido.lib.cache.answers import Answer, Body
from fido.lib.values.errors import PreconditionFailed
from fido.lib.values.strict_json import json_bytes

Rows = list[Any]


class BaseViewSet(GenericViewSet[Any]):
    """The base of all viewsets: how to check a body and how to show a record."""

    # One of scopes.RESOURCES; None: no key may do anything here.
    resource: ClassVar[str | None]
    # For the OpenAPI document: what each variable part of the paths is.
    path_parameters: ClassVar[dict[str, dict[str, Any]]] = {}

    def check_permissions(self, request: Request) -> None:
        scopes.require(self, request.auth)
        super().check_permissions(request)

    def get_content(self) -> Any:
        """Everything that the request asks for besides its path and query, for its fingerprint."""
        return self.request.data

    def checked(self, *args: Any, **options: Any) -> BaseSerializer[Any]:
        """The serializer of the body, validated."""
        serializer = self.get_serializer(*args, data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        return serializer

    def represent(self, row: Any) -> Body:
        """What the caller sees of a record. Write nothing here."""
        return dict(self.get_serializer(row).data)

    def open(self, row: Any) -> Body:
        """The same, for an answer about this record alone; the access may be logged."""
        return self.represent(row)

    def etag(self, row: Any) -> str:
        """The tag that a GET returns to this caller."""
        return self.etag_of(row, self.represent(row))

    def etag_of(self, row: Any, shown: Body) -> str:
        return etag_of(json_bytes(shown), getattr(row, "version", None))


class ListMixin(BaseViewSet):
    """`list`: `{"results", "next", "previous"}`, with an ETag."""

    query_class: ClassVar[type[QuerySerializer]] = ListQuery
    ordering: ClassVar[tuple[str, ...]] = ("id",)
    # The list's label in metrics.
    kind: ClassVar[str]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        self.query = self.get_query()
        return kept_answer(request, Answer(self.kind, self.get_question(), self._page))

    def get_query(self) -> dict[str, Any]:
        """The checked query string."""
        return self.query_class.read(self.request)

    def get_ordering(self) -> tuple[str, ...]:
        return self.ordering

    def get_question(self) -> str | None:
        """What a page depends on besides the caller's own data; None: it is never cached."""
        # The absolute URI, because a page's links repeat the host of the request.
        return f"{self.kind} {self.request.build_absolute_uri()}"

    def get_rows(self, queryset: QuerySet[Any], order: Sequence[str], limit: int) -> Rows:
        """The first rows in this order, as `represent_page` takes them."""
        return list(queryset.order_by(*order)[:limit])

    def represent_page(self, rows: Rows) -> Rows:
        page: Rows = self.get_serializer(rows, many=True).data
        return page

    def _page(self) -> Body:
        rows = self.paginate_queryset(self.get_queryset()) or []
        body: Body = self.get_paginated_response(self.represent_page(rows)).data
        return body


class CreateMixin(BaseViewSet):
    """`create`: `perform_create` sets `serializer.instance`."""

    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Write:
        return self.get_write()

    def get_write(self) -> Write:
        serializer = self.checked()
        owners = self.get_owners(serializer)
        return Write(partial(self._created, serializer), owners, self.get_make_if(serializer))

    def get_owners(self, serializer: Any) -> Collection[int]:
        """The ids of the users whose data the write changes.

        It also refuses what only the whole request shows to be wrong.
        """
        return [caller_id(self.request)]

    def get_make_if(self, serializer: Any) -> MakeIf | None:
        """The creation in one statement with an Idempotency-Key; None if it takes several."""
        return None

    def perform_create(self, serializer: Any) -> None:
        raise NotImplementedError

    def created(self, row: Any) -> HttpResponse:
        """The answer that shows a new record."""
        shown = self.open(row)
        headers = {"Location": self.url_of(row), "ETag": self.etag_of(row, shown)}
        return json_answer(shown, 201, **headers)

    def url_of(self, row: Any) -> str:
        name = quote(str(getattr(row, self.lookup_field)), safe="")
        return self.request.build_absolute_uri(f"{self.request.path}/{name}")

    def _created(self, serializer: Any) -> HttpResponse:
        self.perform_create(serializer)
        return self.created(serializer.instance)


class RetrieveMixin(BaseViewSet):
    """`retrieve`, with 304 if the client already has the record."""

    @extend_schema(parameters=CONDITIONAL)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        row = self.get_object()
        shown = self.open(row)
        return conditional.answer(request, json_bytes(shown), self.etag_of(row, shown))


class BoundWrites(BaseViewSet):
    """Writes that If-Match may bind to what the client has read.

    `is_bound` tells `perform_update` and `perform_destroy` to compare and set.
    """

    is_bound = False

    def bind(self, row: Any) -> None:
        """Bind the write to the row as it was just read, if `If-Match` has the row's tag.

        Without the header, or with `*`, the write applies to any state. Call it last, when nothing
        else can refuse the write.

        Raises:
            PreconditionFailed: the header has only other tags, weak tags, or malformed ones.
        """
        header = self.request.headers.get("If-Match", "*")
        self.is_bound = header.strip() != "*"
        if self.is_bound and self.etag(row) not in parse_etags(header):
            raise PreconditionFailed()


class AmendMixin(BoundWrites):
    """What PUT and PATCH share: `perform_update` sets `serializer.instance`."""

    def checked_update(self, row: Any, *, partial: bool) -> BaseSerializer[Any]:
        """The serializer of the body, validated; empty `validated_data` means nothing to change."""
        return self.checked(row, partial=partial)

    def perform_update(self, serializer: Any) -> None:
        raise NotImplementedError

    def amended(self, *, partial: bool) -> HttpResponse:
        row = self.get_object()
        serializer = self.checked_update(row, partial=partial)
        self.bind(row)
        if serializer.validated_data:
            self.perform_update(serializer)
        shown = self.open(serializer.instance)
        return json_answer(shown, ETag=self.etag_of(serializer.instance, shown))


class UpdateMixin(AmendMixin):
    """`update` (PUT) and `partial_update` (PATCH)."""

    @extend_schema(parameters=[IF_MATCH, etag_on(200)])
    def update(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.amended(partial=False)

    @extend_schema(parameters=[IF_MATCH, etag_on(200)])
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.amended(partial=True)


class DestroyMixin(BoundWrites):
    """`destroy`: 204."""

    @extend_schema(parameters=[IF_MATCH])
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        self.bind(row)
        self.perform_destroy(row)
        return Response(status=204)

    def perform_destroy(self, row: Any) -> None:
        raise NotImplementedError
