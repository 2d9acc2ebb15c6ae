"""HTTP for transactions: who may, what shape, one operation."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers as drf
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.models import User
from accounts.operations import log_access
from fido.lib.api import conditional
from fido.lib.api.conditional import etag_of, json_answer, only_if_unchanged
from fido.lib.api.idempotency import Attempt
from fido.lib.api.kept import kept_answer
from fido.lib.api.schema import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, etag_on
from fido.lib.cache.answers import Answer
from fido.lib.values.errors import NotFound
from fido.lib.values.strict_json import json_bytes
from transactions import operations, queries
from transactions.api.rights import require_name_search
from transactions.api.serializers import (
    HistorySerializer,
    TransactionSerializer,
    shown,
    shown_masked,
)
from transactions.api.wallets import resolve, resolve_edit
from transactions.models import Transaction
from transactions.operations import Draft

Names = Mapping[UUID, str]
NOT_FOR_OTHERS = OpenApiResponse(description="Only staff and services record for others.")
TAKEN = OpenApiResponse(
    description="There is a transaction with this external_id; or the wallet holds too little, or"
    " is closed."
)
IN_THE_WAY = OpenApiResponse(description="The wallet holds too little, or is closed.")
TAKEN_OR_IN_FLIGHT = OpenApiResponse(
    description="There is a transaction with this external_id; or the wallet holds too little, or"
    " is closed; or a request with this Idempotency-Key is being worked on."
)


class TransactionListView(GenericAPIView[Transaction]):
    serializer_class = TransactionSerializer

    def get_ordering(self) -> tuple[str, ...]:
        return queries.ordering(self.query["order"])

    @extend_schema(
        operation_id="list_transactions",
        parameters=[HistorySerializer],
        responses=TransactionSerializer(many=True),
    )
    def get(self, request: Request) -> HttpResponse:
        """The history, newest first. What staff see of others has its names masked."""
        viewer = caller(request)
        self.query = HistorySerializer.read(request)
        require_name_search(viewer, self.query)

        def answer() -> Any:
            page = self.paginate_queryset(queries.history(viewer=viewer, filters=self.query))
            names = queries.wallet_names(page or [])
            rows = [_in_list(row, viewer, names) for row in page or []]
            return self.get_paginated_response(rows).data

        # Not for staff, who see everybody's. The links in it begin with how we were addressed.
        question = f"history {request.build_absolute_uri()}"
        return kept_answer(
            request, Answer("history", None if viewer.is_staff else question, answer)
        )

    @extend_schema(
        operation_id="record_transaction",
        parameters=[IDEMPOTENCY_KEY, etag_on(201)],
        responses={201: TransactionSerializer, 403: NOT_FOR_OTHERS, 409: TAKEN_OR_IN_FLIGHT},
    )
    def post(self, request: Request) -> HttpResponse:
        me = caller(request)
        attempt = Attempt(request, content=request.data)
        if first := attempt.replayed(user_id=me.pk):
            return first
        serializer = TransactionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        owner = owner_named(me, values.pop("user_id", None))
        resolve(values, owner.pk)
        make = partial(_recorded, request, owner, values)
        return attempt.run(make, user_id=me.pk, owners=[owner.pk])


TRANSACTION_ID = OpenApiParameter("transaction_id", UUID, OpenApiParameter.PATH)


@extend_schema(parameters=[TRANSACTION_ID])
class TransactionView(APIView):
    @extend_schema(
        operation_id="read_transaction",
        parameters=[IF_NONE_MATCH, etag_on(200)],
        responses=TransactionSerializer,
    )
    def get(self, request: Request, transaction_id: UUID) -> HttpResponse:
        row = _row(caller(request), transaction_id, "view")
        body = json_bytes(_opened(row, caller(request), queries.wallet_names([row])))
        return conditional.answer(request, body, etag_of(body, row.version))

    @extend_schema(
        operation_id="replace_transaction",
        parameters=[IF_MATCH, etag_on(200)],
        request=TransactionSerializer,
        responses={200: TransactionSerializer, 409: TAKEN},
    )
    def put(self, request: Request, transaction_id: UUID) -> HttpResponse:
        """Replaces it. Without `user_id` or `transaction_date` those stay as they are."""
        row = _row(caller(request), transaction_id, "change")
        owner = row.user
        data = request.data
        if isinstance(data, dict):
            kept = {"transaction_date": row.transaction_date.isoformat()}
            data = kept | {"currency": owner.currency} | data
        values = _edit(row, data, partial=False)
        if "transaction_date" not in request.data:
            del values["transaction_date"]  # kept by not writing it: an edit may have come since
        blank = dict.fromkeys(("description", "external_id", "wallet_id"))
        if owner.full_name or owner.full_name_index is None:
            blank["full_name"] = owner.full_name
        # Else the profile's name cannot be read just now, and the row keeps what it has.
        return self._amend(request, row, blank | values)

    @extend_schema(
        operation_id="change_transaction",
        parameters=[IF_MATCH, etag_on(200)],
        request=TransactionSerializer,
        responses={200: TransactionSerializer, 409: TAKEN},
    )
    def patch(self, request: Request, transaction_id: UUID) -> HttpResponse:
        row = _row(caller(request), transaction_id, "change")
        return self._amend(request, row, _edit(row, request.data, partial=True))

    @extend_schema(
        operation_id="delete_transaction",
        parameters=[IF_MATCH],
        responses={204: None, 409: IN_THE_WAY},
    )
    def delete(self, request: Request, transaction_id: UUID) -> Response:
        row = _row(caller(request), transaction_id, "delete")
        bound = only_if_unchanged(request, lambda: _etag(row, caller(request)))
        operations.delete(row=row, if_unchanged=bound)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _amend(self, request: Request, row: Transaction, changes: dict[str, Any]) -> HttpResponse:
        bound = only_if_unchanged(request, lambda: _etag(row, caller(request)))
        if changes:
            row = operations.amend(row=row, changes=changes, if_unchanged=bound)
        body = json_bytes(_opened(row, caller(request), queries.wallet_names([row])))
        return json_answer(body, ETag=etag_of(body, row.version))


def owner_named(caller: User, user_id: int | None) -> User:
    """For whom the caller records.

    Raises:
        PermissionDenied: the caller may record only their own.
        ValidationError: there is no such user.
    """
    if user_id is None or user_id == caller.pk:
        return caller
    if not may_record_for_others(caller):
        raise PermissionDenied("You may record your own transactions only.")
    owner = User.objects.filter(pk=user_id).first()
    if owner is None:
        raise drf.ValidationError({"user_id": drf.ErrorDetail("No such user.", "unknown-user")})
    return owner


def may_record_for_others(caller: User) -> bool:
    return caller.may_for_others("transactions.add_transaction") or caller.is_service


def draft_of(values: dict[str, Any], owner: User) -> Draft:
    values.setdefault("currency", owner.currency)
    values.setdefault("full_name", owner.full_name)
    return Draft(**values)


def _row(viewer: User, transaction_id: UUID, verb: str) -> Transaction:
    """The transaction, if it is the viewer's or the viewer is staff with the permission.

    Raises:
        NotFound: else, so that nobody learns whether it exists.
    """
    owner_id: int = viewer.pk
    if viewer.may_for_others(f"transactions.{verb}_transaction"):
        owner_id = queries.owner_of(transaction_id) or viewer.pk
    row = Transaction.objects.filter(user_id=owner_id, id=transaction_id).first()
    if row is None:
        raise NotFound()
    return row


def _edit(row: Transaction, data: Any, *, partial: bool) -> dict[str, Any]:
    serializer = TransactionSerializer(row, data=data, partial=partial)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    if values.pop("user_id", row.user_id) != row.user_id:
        message = "A transaction stays with its user."
        raise drf.ValidationError({"user_id": drf.ErrorDetail(message, "immutable")})
    resolve_edit(values, row)
    return values


def _in_list(row: Transaction, viewer: User, names: Names) -> dict[str, Any]:
    return shown(row, names) if row.user_id == viewer.pk else shown_masked(row, names)


def _recorded(request: Request, owner: User, values: dict[str, Any]) -> HttpResponse:
    me = caller(request)
    # What the caller sent may be read back; a name from somebody's profile may not.
    sent_name = "full_name" in values
    row = operations.record(owner=owner, draft=draft_of(values, owner))
    location = request.build_absolute_uri(f"{request.path}/{row.pk}")
    names = queries.wallet_names([row])
    body = json_bytes(shown(row, names) if sent_name else _opened(row, me, names))
    etag = etag_of(json_bytes(_seen(row, me, names)), row.version)
    return json_answer(body, 201, Location=location, ETag=etag)


def _opened(row: Transaction, viewer: User, names: Names) -> dict[str, Any]:
    """What the viewer may read of it; reading another's names is logged first."""
    if _is_anothers_in_clear(row, viewer):
        what = f"transaction {row.pk}"
        log_access(actor=viewer, subject_id=row.user_id, what=what, route="api")
    return _seen(row, viewer, names)


def _seen(row: Transaction, viewer: User, names: Names) -> dict[str, Any]:
    clear = row.user_id == viewer.pk or _is_anothers_in_clear(row, viewer)
    return shown(row, names) if clear else shown_masked(row, names)


def _is_anothers_in_clear(row: Transaction, viewer: User) -> bool:
    return row.user_id != viewer.pk and viewer.may_for_others("accounts.view_personal_data")


def _etag(row: Transaction, viewer: User) -> str:
    """The tag that GET answers this viewer. It opens nothing that the viewer may not read."""
    return etag_of(json_bytes(_seen(row, viewer, queries.wallet_names([row]))), row.version)
