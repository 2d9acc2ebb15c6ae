"""POST /users and /users/bulk create customers who do not log in. They are here because each gets a
wallet.
"""

from collections.abc import Collection
from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.api.viewsets import UserViewSet
from accounts.models import User
from accounts.wallets import operations
from accounts.wallets.api.serializers import CustomerSerializer, CustomersQuery
from accounts.wallets.operations import NewCustomer
from fido.lib.api import bulks
from fido.lib.api.bulks import Refusal
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Write, idempotent
from fido.lib.api.parsing import BulkJSONParser
from fido.lib.api.problems import Json
from fido.lib.api.schema import example, location_on
from fido.lib.api.viewsets import CreateMixin
from fido.lib.values import money
from fido.lib.values.errors import DomainError

MAX_ROWS = 1000
NOT_STAFF = OpenApiResponse(description="Only staff and services may create customers.")
CUSTOMER = {"name": "Ben Nevis", "total": "100.00"}
# The shape of transactions in bulk, which a higher app declares.
RESULT = {"$ref": "#/components/schemas/BulkResult"}


@extend_schema(tags=["Accounts"])
@extend_schema_view(
    create=extend_schema(
        operation_id="create_customer",
        summary="Create a customer",
        description="Creates a customer who cannot log in, with `total` in a wallet named `main`.",
        parameters=[location_on(201)],
        examples=[example("With a balance", CUSTOMER)],
        request=CustomerSerializer,
        responses={201: CustomerSerializer, 403: NOT_STAFF},
    )
)
class CustomerViewSet(CreateMixin, UserViewSet):
    """All of `users`: the routes of UserViewSet, and creating customers."""

    lookup_field = "pk"

    def get_serializer_class(self) -> Any:
        return CustomerSerializer if self.action == "create" else super().get_serializer_class()

    def get_owners(self, serializer: Any) -> Collection[int]:
        self.customer = _customer(serializer.validated_data)
        return []  # nobody has read anything about the customer before this commits

    def perform_create(self, serializer: Any) -> None:
        (serializer.instance,) = operations.create_customers([self.customer])

    def created(self, row: User) -> HttpResponse:
        return json_answer(_shown(row, self.customer), 201, Location=self.url_of(row))

    @extend_schema(
        operation_id="create_customers",
        summary="Create many customers",
        parameters=[CustomersQuery],
        examples=[example("Some customers", CUSTOMER)],
        request=CustomerSerializer(many=True, max_length=MAX_ROWS),  # type: ignore[call-arg]
        responses={
            200: OpenApiResponse(RESULT, "With `atomic=false`."),
            201: OpenApiResponse(RESULT, "All of them were created."),
            403: NOT_STAFF,
        },
    )
    @action(detail=False, methods=["post"], parser_classes=[BulkJSONParser])
    @idempotent
    def bulk(self, request: Request) -> Write:
        """Creates up to 1,000 customers, in at most 4 MiB, in one step.

        Each is as by `POST /users`. With `atomic=false`, those that are malformed are left out.
        """
        atomic = CustomersQuery.read(request)["atomic"]
        serializer = CustomerSerializer()  # one for all: creating it takes longer than using it
        data = bulks.listed(request.data, "customers", MAX_ROWS)
        rows = [_read(serializer, each) for each in data]
        if atomic:
            bulks.require_none(_refusals(rows))
        return Write(partial(_created, rows, atomic=atomic), owners=[])


def _customer(values: dict[str, Any]) -> NewCustomer:
    """Raises InvalidInput: the total has more decimals than the currency."""
    customer = NewCustomer(
        full_name=values["name"], currency=values["currency"], total=values["total"]
    )
    customer.require_decimals()
    return customer


def _read(serializer: CustomerSerializer, data: Any) -> NewCustomer | Refusal:
    try:
        return _customer(serializer.run_validation(data))
    except (DomainError, ValidationError) as refusal:
        return refusal


def _refusals(rows: list[NewCustomer | Refusal]) -> list[tuple[int, Refusal]]:
    return [(n, row) for n, row in enumerate(rows) if not isinstance(row, NewCustomer)]


def _created(rows: list[NewCustomer | Refusal], *, atomic: bool) -> HttpResponse:
    customers = {n: row for n, row in enumerate(rows) if isinstance(row, NewCustomer)}
    users = operations.create_customers(list(customers.values()))
    results: list[Json] = [
        {"index": n, "status": 201, "customer": _shown(user, customer)}
        for user, (n, customer) in zip(users, customers.items(), strict=True)
    ]
    results += [bulks.refused(n, refusal) for n, refusal in _refusals(rows)]
    return bulks.answer(results, atomic=atomic)


def _shown(user: User, customer: NewCustomer) -> Json:
    total = money.text(customer.total, customer.currency)
    return {"id": user.pk, "name": customer.full_name, "total": total}
