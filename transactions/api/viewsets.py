"""HTTP for transactions: permissions, shapes, operations."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from accounts.api.authentication import caller
from accounts.operations import log_access
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import MakeIf, Write, idempotent
from fido.lib.api.parsing import BulkJSONParser
from fido.lib.api.schema import etag_on, example, location_on, path_parameter
from fido.lib.api.viewsets import CreateMixin, DestroyMixin, ListMixin, RetrieveMixin, UpdateMixin
from fido.lib.cache.answers import Body
from fido.lib.process.inserts import Condition
from transactions import operations, queries
from transactions.api import bulk, exports
from transactions.api.rights import owner_named, reads_name, require_name_search, transaction_for
from transactions.api.serializers import (
    BulkQuery,
    BulkResultSerializer,
    ExportSerializer,
    HistorySerializer,
    TransactionSerializer,
    represent,
    represent_entry,
)
from transactions.api.wallets import resolve, resolve_edit
from transactions.files.columns import NULLABLE
from transactions.models import Transaction, TransactionQuerySet
from transactions.operations import Draft

NOT_FOR_OTHERS = OpenApiResponse(description="Only staff and services may record for others.")
TAKEN = OpenApiResponse(
    description="There is a transaction with this external_id; or the wallet holds too little, or"
    " is closed."
)
IN_THE_WAY = OpenApiResponse(description="The wallet holds too little, or is closed.")
TAKEN_OR_IN_FLIGHT = OpenApiResponse(
    description="There is a transaction with this external_id; or the wallet holds too little, or"
    " is closed; or a request with this Idempotency-Key is in progress."
)
TRANSACTION_ID = path_parameter(
    {"type": "string", "format": "uuid"},
    "019c13a5-6b80-7c1e-9f64-2d5b8e0a4c37",
    "The id of a transaction.",
)
PURCHASE = {
    "transaction_date": "2026-01-31T12:00:00Z",
    "transaction_amount": "19.99",
    "transaction_type": "debit",
    "currency": "USD",
    "description": "Groceries",
}
# Set to null by a PUT that omits them. An omitted name becomes the profile's.
NULLED = ["wallet_id" if name == "wallet" else name for name in NULLABLE if name != "full_name"]
# The permission that each action requires on another user's transaction.
VERBS = {"update": "change", "partial_update": "change", "destroy": "delete"}


@extend_schema_view(
    list=extend_schema(
        operation_id="list_transactions",
        summary="List transactions",
        description="The history, by default newest first. Staff see the names of others masked.",
    ),
    create=extend_schema(
        operation_id="record_transaction",
        summary="Record a transaction",
        description="Records a credit or a debit. With a `wallet`, its balance moves in the same"
        " step.",
        parameters=[location_on(201), etag_on(201)],
        examples=[example("A purchase", PURCHASE)],
        responses={201: TransactionSerializer, 403: NOT_FOR_OTHERS, 409: TAKEN_OR_IN_FLIGHT},
    ),
    retrieve=extend_schema(
        operation_id="read_transaction",
        summary="Read a transaction",
        description="One transaction. Staff's access to another user's name is logged first. A"
        " service account reads, changes and deletes what it recorded itself, with names masked.",
    ),
    update=extend_schema(
        operation_id="replace_transaction",
        summary="Replace a transaction",
        description="Replaces it. An omitted `user_id` or `transaction_date` stays as it is.",
        examples=[example("Another amount", PURCHASE | {"transaction_amount": "21.50"})],
        responses={200: TransactionSerializer, 409: TAKEN},
    ),
    partial_update=extend_schema(
        operation_id="change_transaction",
        summary="Change a transaction",
        description="Changes what the body has, and leaves the rest.",
        examples=[example("Another amount", {"transaction_amount": "18.99"})],
        responses={200: TransactionSerializer, 409: TAKEN},
    ),
    destroy=extend_schema(
        operation_id="delete_transaction",
        summary="Delete a transaction",
        description="Deletes it. A wallet's balance is then as if it had never been recorded.",
        responses={204: None, 409: IN_THE_WAY},
    ),
)
class TransactionViewSet(ListMixin, CreateMixin, RetrieveMixin, UpdateMixin, DestroyMixin):
    """The caller's own; for staff, everybody's, with names masked unless they may open them."""

    resource = "transactions"
    serializer_class = TransactionSerializer
    query_class = HistorySerializer
    kind = "history"
    lookup_field = "pk"
    lookup_url_kwarg = "transaction_id"
    lookup_value_converter = "uuid"
    path_parameters = {"transaction_id": TRANSACTION_ID}

    # --- who may see what ---

    def get_query(self) -> dict[str, Any]:
        query = super().get_query()
        require_name_search(caller(self.request), query)
        return query

    def get_ordering(self) -> tuple[str, ...]:
        return queries.ordering(self.query["order"])

    def get_question(self) -> str | None:
        # Not cached for staff, who see everybody's.
        return None if caller(self.request).is_staff else super().get_question()

    def get_queryset(self) -> TransactionQuerySet:
        return queries.history(viewer=caller(self.request), filters=self.query)

    def get_object(self) -> Transaction:
        verb = VERBS.get(self.action, "view")
        return transaction_for(caller(self.request), self.kwargs["transaction_id"], verb)

    def get_rows(self, queryset: Any, order: Sequence[str], limit: int) -> list[Any]:
        return queries.entries(queryset, order, limit)

    def represent_page(self, rows: list[Any]) -> list[Body]:
        me = caller(self.request).pk
        return [represent_entry(row, clear=row.user_id == me) for row in rows]

    def represent(self, row: Transaction) -> Body:
        clear = reads_name(caller(self.request), row)
        return represent(row, queries.wallet_names([row]), clear=clear)

    def open(self, row: Transaction) -> Body:
        """An access to another user's names is logged first."""
        me = caller(self.request)
        if reads_name(me, row):
            what = f"transaction {row.pk}"
            log_access(actor=me, subject_id=row.user_id, what=what, route="api")
        return self.represent(row)

    # --- what is written ---

    def get_owners(self, serializer: Any) -> Collection[int]:
        values = serializer.validated_data
        self.owner = owner_named(caller(self.request), values.pop("user_id", None))
        resolve(values, self.owner.pk)
        return [self.owner.pk]

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = operations.record(
            owner=self.owner,
            draft=self._draft(serializer),
            recorded_by=caller(self.request).pk,
        )

    def get_make_if(self, serializer: Any) -> MakeIf | None:
        draft = self._draft(serializer)
        # Nobody's names are opened for their owner, so the answer can be made before the write.
        if self.owner == caller(self.request) and operations.is_one_step(draft):
            return partial(self._created_if, draft)
        return None

    def _draft(self, serializer: Any) -> Draft:
        return Draft.of(self.owner, serializer.validated_data)

    def _created_if(
        self, draft: Draft, condition: Callable[[HttpResponse], Condition]
    ) -> HttpResponse | None:
        answers = list[HttpResponse]()

        def condition_of(row: Transaction) -> Condition:
            answers.append(self.created(row))
            return condition(answers[0])

        row = operations.record_if(condition_of, owner=self.owner, draft=draft)
        return None if row is None else answers[0]

    def created(self, row: Transaction) -> HttpResponse:
        if row.user_id == caller(self.request).pk or "full_name" not in self.request.data:
            return super().created(row)
        # The caller may read back a name that they sent, but not one from another user's profile.
        body = represent(row, queries.wallet_names([row]), clear=True)
        return json_answer(body, 201, Location=self.url_of(row), ETag=self.etag(row))

    def checked_update(self, row: Transaction, *, partial: bool) -> BaseSerializer[Any]:
        serializer = self.get_serializer(row, data=self._edit(row, partial), partial=partial)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        if values.pop("user_id", row.user_id) != row.user_id:
            message = "A transaction stays with its user."
            raise ValidationError({"user_id": ErrorDetail(message, "immutable")})
        resolve_edit(values, row)
        if not partial:
            self._replace(values, row)
        return serializer

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = operations.amend(
            row=serializer.instance,
            changes=serializer.validated_data,
            if_unchanged=self.is_bound,
            actor=caller(self.request),
        )

    def perform_destroy(self, row: Transaction) -> None:
        operations.delete(row=row, if_unchanged=self.is_bound, actor=caller(self.request))

    def _edit(self, row: Transaction, partial: bool) -> Any:
        """The body; for PUT with those defaults that the serializer does not know."""
        data = self.request.data
        if partial or not isinstance(data, dict):
            return data
        date = row.transaction_date.isoformat()
        return {"transaction_date": date, "currency": row.user.currency} | data

    def _replace(self, values: dict[str, Any], row: Transaction) -> None:
        """Complete the values with everything that PUT writes."""
        if "transaction_date" not in self.request.data:
            del values["transaction_date"]  # not written: it may have been edited concurrently
        for name in NULLED:
            values.setdefault(name, None)
        owner = row.user
        # If the profile's name cannot be decrypted at the moment, the row keeps its own.
        if owner.full_name or owner.full_name_index is None:
            values.setdefault("full_name", owner.full_name)

    # --- many at once ---

    @extend_schema(
        operation_id="record_transactions",
        summary="Record many transactions",
        parameters=[BulkQuery],
        examples=[example("Some rows", PURCHASE)],
        request=TransactionSerializer(many=True, max_length=bulk.MAX_ROWS),  # type: ignore[call-arg]
        responses={
            200: OpenApiResponse(BulkResultSerializer, "With `atomic=false`."),
            201: OpenApiResponse(BulkResultSerializer, "All of them were recorded."),
            403: NOT_FOR_OTHERS,
            409: bulk.TAKEN_OR_IN_FLIGHT,
        },
    )
    @action(detail=False, methods=["post"], parser_classes=[BulkJSONParser])
    @idempotent
    def bulk(self, request: Request) -> Write:
        """Records up to 5,000 transactions, in at most 4 MiB: all or none, or each on its own.

        With `atomic=false`, each user's rows are recorded in one step. With an `Idempotency-Key`
        as well, all rows are recorded in one step, for at most 1,000 users. What the time does
        not suffice for is not tried, and its rows have the code `not-tried`: send them again.
        """
        return bulk.write(request)

    @extend_schema(
        operation_id="export_transactions",
        summary="Export transactions",
        parameters=[ExportSerializer],
        responses=exports.RESPONSES,
    )
    @action(detail=False, content_negotiation_class=exports.AnyForm)
    def export(self, request: Request) -> StreamingHttpResponse:
        """The whole history as a file: a snapshot of one moment.

        A truncated file ends without its last chunk: do not treat it as complete. Staff see the
        names of others masked, in columns `masked_…`. With `user_id` and the permission to open
        names, that user's names are in clear, and the access is logged.
        """
        return exports.file_of(request)
