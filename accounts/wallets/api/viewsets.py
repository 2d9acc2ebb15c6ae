"""HTTP for wallets. Callers see only their own."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.wallets import operations, queries
from accounts.wallets.api.paths import WALLET_NAME, wallet_at, wallet_name
from accounts.wallets.api.serializers import (
    BalanceSerializer,
    ConversionQuery,
    ConvertedAnswer,
    WalletSerializer,
    represent_converted,
)
from accounts.wallets.conversion import converted
from accounts.wallets.models import Balance, Wallet
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Write
from fido.lib.api.kept import kept_answer
from fido.lib.api.schema import CONDITIONAL, etag_on, example, location_on
from fido.lib.api.viewsets import (
    BaseViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)
from fido.lib.cache.answers import Answer, Body
from fido.lib.values import money

HOLDS_MONEY = OpenApiResponse(description="The wallet holds money.")
NO_RATES = OpenApiResponse(description="Rates are needed, and the bank has not delivered any yet.")
CONVERTED: dict[str, Any] = {
    "parameters": [ConversionQuery, *CONDITIONAL],
    "responses": {200: ConvertedAnswer, 503: NO_RATES},
}
RENAMED = example("Another name", {"name": "travel"})


@extend_schema_view(
    list=extend_schema(
        operation_id="list_wallets",
        summary="List your wallets",
        description="The caller's wallets, oldest first.",
    ),
    create=extend_schema(
        operation_id="open_wallet",
        summary="Open a wallet",
        description="Opens a wallet, with a name that the caller has not given to another one.",
        parameters=[location_on(201), etag_on(201)],
        examples=[example("A wallet", {"name": "holiday"})],
        responses={201: WalletSerializer},
    ),
    retrieve=extend_schema(
        operation_id="read_wallet",
        summary="Read a wallet",
        description="One of the caller's wallets. What it holds is at its `currencies`.",
    ),
    update=extend_schema(
        operation_id="rename_wallet",
        summary="Rename a wallet",
        description="Gives the wallet another name, which its transactions then show.",
        examples=[RENAMED],
    ),
    partial_update=extend_schema(
        operation_id="change_wallet",
        summary="Change a wallet",
        description="The same as PUT: a wallet has nothing but its name.",
        examples=[RENAMED],
        # PUT's, and not one in which the name is optional: clients need no second class for it.
        request={"application/json": {"$ref": "#/components/schemas/WalletRequest"}},
    ),
    destroy=extend_schema(
        operation_id="close_wallet",
        summary="Close a wallet",
        description="Closes an empty wallet. Its transactions remain, and its name is free again.",
        responses={204: None, 409: HOLDS_MONEY},
    ),
)
class WalletViewSet(ListMixin, CreateMixin, RetrieveMixin, UpdateMixin, DestroyMixin):
    """The caller's open wallets, by name."""

    resource = "wallets"
    serializer_class = WalletSerializer
    lookup_field = "name"
    lookup_value_converter = "str"
    path_parameters = {"name": WALLET_NAME}
    kind = "wallets"

    def get_queryset(self) -> QuerySet[Wallet]:
        return Wallet.objects.of(caller(self.request).pk).open()

    def get_object(self) -> Wallet:
        return wallet_at(self.request, self.kwargs["name"])

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = operations.create_wallet(
            user_id=caller(self.request).pk, name=serializer.validated_data["name"]
        )

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = operations.rename_wallet(
            wallet=serializer.instance,
            name=serializer.validated_data["name"],
            if_unchanged=self.is_bound,
        )

    def perform_destroy(self, row: Wallet) -> None:
        operations.close_wallet(wallet=row, if_unchanged=self.is_bound)

    @extend_schema(operation_id="convert_wallet", summary="Convert a wallet", **CONVERTED)
    @action(detail=True)
    def currencies_converted(self, request: Request, name: str) -> HttpResponse:
        """The money in one wallet, converted into one currency at the rates in force."""
        return _converted(request, name)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_balances",
        summary="List what a wallet holds",
        description="What the wallet holds, by currency.",
    ),
    create=extend_schema(
        operation_id="open_balance",
        summary="Open a currency in a wallet",
        description="Opens a currency in the wallet. The opening amount is not a transaction.",
        examples=[example("With an opening amount", {"currency": "EUR", "amount": "25.00"})],
        responses={
            201: BalanceSerializer,
            409: OpenApiResponse(description="The wallet was closed."),
        },
    ),
)
class BalanceViewSet(ListMixin, CreateMixin):
    """What one of the caller's wallets holds, by currency."""

    resource = "wallets"
    serializer_class = BalanceSerializer
    path_parameters = {"name": WALLET_NAME}
    ordering = ("currency", "id")
    kind = "wallets"

    def get_question(self) -> str:
        return f"balances {super().get_question()}"

    def get_queryset(self) -> QuerySet[Balance]:
        wallet = wallet_at(self.request, self.kwargs["name"])
        return queries.open_balances(wallet.user_id, wallet.pk)

    def get_write(self) -> Write:
        # First, so that a missing wallet is a 404 whatever the body holds.
        self.wallet = wallet_at(self.request, self.kwargs["name"])
        return super().get_write()

    def perform_create(self, serializer: Any) -> None:
        values = serializer.validated_data
        serializer.instance = operations.open_balance(
            wallet=self.wallet,
            currency=values["currency"],
            opening=values.get("amount", money.ZERO),
        )

    def created(self, row: Balance) -> HttpResponse:
        return json_answer(self.represent(row), 201)


class ConversionViewSet(BaseViewSet):
    """All of the caller's money."""

    resource = "wallets"

    @extend_schema(operation_id="convert_everything", summary="Convert everything", **CONVERTED)
    def list(self, request: Request) -> HttpResponse:
        """The money in all wallets, converted into one currency at the rates in force."""
        return _converted(request, None)


def _converted(request: Request, name: str | None) -> HttpResponse:
    query, me = ConversionQuery.read(request), caller(request)
    to, rate = query.get("to"), query["rate"]
    called = None if name is None else wallet_name(name)
    # A wallet may have any name, even "None".
    what = "everything" if called is None else f"wallet {called}"

    def answer() -> Body:
        target = to or me.currency
        found = converted(user_id=me.pk, name=called, target=target, column=rate)
        return represent_converted(found, target, rate)

    return kept_answer(request, Answer("converted", f"converted {to} {rate} {what}", answer))
