"""POST /users creates a customer who does not log in. It is here because it opens a wallet."""

from collections.abc import Collection
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view

from accounts.api.viewsets import UserViewSet
from accounts.models import User
from accounts.wallets import operations
from accounts.wallets.api.serializers import CustomerSerializer
from fido.lib.api.conditional import json_answer
from fido.lib.api.schema import example, location_on
from fido.lib.api.viewsets import CreateMixin
from fido.lib.values import money

NOT_STAFF = OpenApiResponse(description="Only staff and services may create customers.")


@extend_schema(tags=["Accounts"])
@extend_schema_view(
    create=extend_schema(
        operation_id="create_customer",
        summary="Create a customer",
        description="Creates a customer who cannot log in, with `total` in a wallet named `main`.",
        parameters=[location_on(201)],
        examples=[example("With a balance", {"name": "Ben Nevis", "total": "100.00"})],
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
        return []  # nobody has read anything about the customer before this commits

    def perform_create(self, serializer: Any) -> None:
        self.values: dict[str, Any] = serializer.validated_data
        serializer.instance = operations.create_customer(
            full_name=self.values["name"],
            currency=self.values["currency"],
            total=self.values["total"],
        )

    def created(self, row: User) -> HttpResponse:
        total = money.text(self.values["total"], self.values["currency"])
        body = {"id": row.pk, "name": self.values["name"], "total": total}
        return json_answer(body, 201, Location=self.url_of(row))
