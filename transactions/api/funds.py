"""POST /wallets/{name}/currencies/{code}/funds moves money in or out, as a transaction."""

from contextlib import suppress
from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.wallets import queries
from accounts.wallets.api.paths import WALLET_NAME, wallet_at
from accounts.wallets.models import Wallet
from accounts.wallets.operations import require_decimals
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Write, idempotent
from fido.lib.api.schema import example, location_on, path_parameter
from fido.lib.api.serializers import HeldMoneyField, SignedMoneyField, StrictSerializer
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.values import clock, money
from fido.lib.values.errors import NotFound
from transactions import operations
from transactions.api.serializers import TransactionSerializer, free_text, represent
from transactions.models import Transaction
from transactions.operations import Draft

TOO_LITTLE = OpenApiResponse(
    description="The wallet holds too little, or was closed; or there is a transaction with this"
    " external_id; or a request with this Idempotency-Key is in progress."
)


class FundsSerializer(StrictSerializer):
    """An amount to add to a balance, or to withdraw."""

    amount = SignedMoneyField(help_text="Negative to withdraw.")
    full_name = free_text("full_name")
    description = free_text("description")
    external_id = free_text("external_id")
    category = free_text("category")


class FundsAnswer(serializers.Serializer[Any]):
    """The new balance, and the recorded transaction."""

    currency = serializers.CharField()
    amount = HeldMoneyField()
    transaction = TransactionSerializer()


class FundsViewSet(BaseViewSet):
    """The caller's own wallets. It is here, not in accounts, because it records a transaction."""

    resource = "wallets"
    serializer_class = FundsSerializer
    lookup_url_kwarg = "code"
    lookup_value_converter = "str"
    path_parameters = {
        "name": WALLET_NAME,
        "code": path_parameter(
            {"$ref": "#/components/schemas/Currency"}, "EUR", "A currency that the wallet has."
        ),
    }

    @extend_schema(
        operation_id="move_funds",
        tags=["Wallets"],
        summary="Add to a balance, or withdraw",
        parameters=[location_on(201)],
        examples=[
            example("Add", {"amount": "50.00", "description": "Savings"}),
            example("Withdraw", {"amount": "-10.00"}),
        ],
        responses={201: FundsAnswer, 409: TOO_LITTLE},
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def funds(self, request: Request, name: str, code: str) -> Write:
        """Adds to a balance or withdraws from it, and records that as a transaction dated now."""
        me, wallet = caller(request), wallet_at(request, name)
        code = _held(wallet, code)
        values = self.checked().validated_data
        require_decimals(values["amount"], code, field="amount")
        return Write(partial(_moved, request, wallet, code, values), owners=[me.pk])


def _held(wallet: Wallet, code: str) -> str:
    """The currency's code in capitals. Raises NotFound if the wallet does not hold it."""
    with suppress(money.UnknownCurrency):
        currency = money.parse_currency(code)
        if queries.balance(wallet.user_id, (wallet.pk, currency)):
            return currency
    raise NotFound("The wallet has no such currency.")


def _moved(request: Request, wallet: Wallet, currency: str, values: dict[str, Any]) -> HttpResponse:
    me, amount = caller(request), values.pop("amount")
    kind = Transaction.Type.CREDIT if amount > 0 else Transaction.Type.DEBIT
    values |= {"transaction_amount": abs(amount), "transaction_type": kind.value}
    values |= {"transaction_date": clock.now(), "currency": currency, "wallet_id": wallet.pk}
    row, left = operations.record_in_wallet(owner=me, draft=Draft.of(me, values))
    answer = {
        "currency": currency,
        "amount": money.text(left, currency),
        "transaction": represent(row, {wallet.pk: wallet.name}, clear=True),
    }
    path = request.build_absolute_uri(f"/api/v1/transactions/{row.pk}")
    return json_answer(answer, 201, Location=path)
