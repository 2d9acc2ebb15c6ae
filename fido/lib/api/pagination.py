"""Keyset pagination: page 100,000 costs as much as the first."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.utils.encoding import escape_uri_path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from fido.lib.api.problems import QueryInvalid
from fido.lib.api.serializers import ParsedField, QuerySerializer
from fido.lib.values import clock

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
NO_CURSOR = "Not a valid cursor of this list."


@dataclass(frozen=True)
class Cursor:
    """Where a page starts: after the row with these key values, or before it."""

    values: tuple[str, ...]
    backwards: bool = False

    def encode(self) -> str:
        raw = json.dumps([self.backwards, *self.values], separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: object) -> "Cursor":
        """Raise ValueError unless the text is one of our cursors."""
        try:
            raw = str(text).encode("ascii")
            backwards, *values = json.loads(
                base64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True)
            )
        except (ValueError, TypeError, RecursionError):
            raise ValueError(NO_CURSOR) from None
        if not isinstance(backwards, bool) or not all(isinstance(v, str) for v in values):
            raise ValueError(NO_CURSOR)
        return cls(tuple(values), backwards)


@extend_schema_field({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})
class CursorField(ParsedField[Cursor]):
    parse = staticmethod(Cursor.decode)


class ListQuery(QuerySerializer):
    """The two parameters of every list."""

    limit = serializers.IntegerField(
        min_value=1,
        max_value=MAX_LIMIT,
        default=DEFAULT_LIMIT,
        required=False,
        help_text="Rows in a page.",
    )
    cursor = CursorField(required=False, help_text="From the link to another page.")


class KeysetPagination(BasePagination):
    """`{"results", "next", "previous"}` over an ordering that ends with `id`.

    The view provides `query`, which a ListQuery has checked; `get_ordering()`, such as
    `("-transaction_date", "-id")`: all in one direction, served by an index on these columns; and
    `get_rows(queryset, order, limit)`, whose rows have these columns as attributes.
    """

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any]:
        self.request = request
        self.ordering: Sequence[str] = view.get_ordering()
        self.limit: int = view.query["limit"]
        self.cursor: Cursor | None = view.query.get("cursor")
        rows: list[Any] = view.get_rows(self._from_cursor(queryset), self._order(), self.limit + 1)
        self.more = len(rows) > self.limit
        page = rows[: self.limit]
        self.page = page[::-1] if self.backwards else page
        return self.page

    @property
    def backwards(self) -> bool:
        return self.cursor is not None and self.cursor.backwards

    @property
    def descending(self) -> bool:
        """Whether the rows are read in descending order."""
        return self.ordering[0].startswith("-") != self.backwards

    @property
    def fields(self) -> list[str]:
        return [name.lstrip("-") for name in self.ordering]

    def _from_cursor(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.cursor:
            # A row comparison: `a < x OR (a = x AND b < y)` would scan all rows with a = x.
            compare = TupleLessThan if self.descending else TupleGreaterThan
            values = self._key(queryset.model, self.cursor)
            queryset = queryset.filter(compare([F(name) for name in self.fields], values))
            # First in the WHERE clause: given two bounds that it cannot compare, PostgreSQL starts
            # its scan at the first. From a filter's bound it would scan all rows up to a deep page.
            clauses = queryset.query.where.children
            clauses.insert(0, clauses.pop())
        return queryset

    def _order(self) -> list[str]:
        sign = "-" if self.descending else ""
        return [sign + name for name in self.fields]

    def _key(self, model: type[Model], cursor: Cursor) -> tuple[Any, ...]:
        fields = [model._meta.get_field(name) for name in self.fields]
        try:
            pairs = list(zip(fields, cursor.values, strict=True))
            values = tuple(field.clean(value, None) for field, value in pairs)  # type: ignore[union-attr]
            # Only in the form that we write: a time without an offset, say, is refused.
            if tuple(map(_text, values)) == cursor.values:
                return values
        except (ValueError, OverflowError, InvalidValue):
            pass
        raise QueryInvalid({"cursor": NO_CURSOR})

    def get_paginated_response(self, data: Any) -> Response:
        forward = self.more if not self.backwards else True
        back = self.more if self.backwards else self.cursor is not None
        return Response(
            {
                "results": data,
                "next": self._link(-1, backwards=False) if forward else None,
                "previous": self._link(0, backwards=True) if back else None,
            }
        )

    def _link(self, index: int, *, backwards: bool) -> str | None:
        if not self.page:
            return None
        values = tuple(_text(getattr(self.page[index], name)) for name in self.fields)
        parameters = self.request.query_params.dict()
        parameters["cursor"] = Cursor(values, backwards).encode()
        # The path is decoded, and a name in it may contain a question mark.
        path = escape_uri_path(self.request.path)
        return self.request.build_absolute_uri(f"{path}?{urlencode(parameters)}")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "description": "A page. Follow `next` until it is null.",
            "required": ["results", "next", "previous"],
            "properties": {
                "results": schema,
                "next": link,
                "previous": link,
            },
        }


def _text(value: Any) -> str:
    return clock.text(value) if isinstance(value, datetime) else str(value)
