"""HTTP for wallets. They are the caller's own: of somebody else's nobody hears here."""

from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.wallets import operations, queries
from accounts.wallets.api.paths import url_of, wallet_at, wallet_name
from accounts.wallets.api.serializers import (
    BalanceSerializer,
    ConversionQuery,
    ConvertedAnswer,
    WalletSerializer,
    shown_converted,
)
from accounts.wallets.conversion import converted
from accounts.wallets.models import Balance, Wallet
from fido.lib.api import conditional
from fido.lib.api.conditional import etag_of, json_answer, only_if_unchanged
from fido.lib.api.idempotency import Attempt
from fido.lib.api.kept import kept_answer
from fido.lib.api.pagination import ListQuery
from fido.lib.api.schema import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, etag_on
from fido.lib.cache.answers import Answer, Body
from fido.lib.values import money
from fido.lib.values.strict_json import json_bytes

HOLDS_MONEY = OpenApiResponse(description="The wallet holds money.")
NO_RATES = OpenApiResponse(description="A rate is needed, and the bank has given none yet.")


class WalletListView(GenericAPIView[Wallet]):
    serializer_class = WalletSerializer

    def get_ordering(self) -> tuple[str, ...]:
        return ("id",)

    @extend_schema(
        operation_id="list_wallets", parameters=[ListQuery], responses=WalletSerializer(many=True)
    )
    def get(self, request: Request) -> HttpResponse:
        """The caller's wallets, the oldest first."""
        me = caller(request)
        self.query = ListQuery.read(request)

        def answer() -> Body:
            page = self.paginate_queryset(Wallet.objects.of(me.pk).open())
            body: Body = self.get_paginated_response(self.get_serializer(page, many=True).data).data
            return body

        # The links in it begin with how we were addressed.
        return kept_answer(
            request, Answer("wallets", f"wallets {request.build_absolute_uri()}", answer)
        )

    @extend_schema(
        operation_id="open_wallet",
        parameters=[IDEMPOTENCY_KEY, etag_on(201)],
        responses={201: WalletSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        me = caller(request)
        attempt = Attempt(request, content=request.data)
        if first := attempt.replayed(user_id=me.pk):
            return first
        name = _checked(WalletSerializer, request.data)["name"]

        def make() -> HttpResponse:
            wallet = operations.create_wallet(user_id=me.pk, name=name)
            return _answer(wallet, 201, Location=url_of(request, wallet))

        return attempt.run(make, user_id=me.pk, owners=[me.pk])


class WalletView(APIView):
    @extend_schema(
        operation_id="read_wallet",
        parameters=[IF_NONE_MATCH, etag_on(200)],
        responses=WalletSerializer,
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        wallet = wallet_at(request, name)
        return conditional.answer(request, _body(wallet), _etag(wallet))

    @extend_schema(
        operation_id="rename_wallet",
        parameters=[IF_MATCH, etag_on(200)],
        request=WalletSerializer,
        responses=WalletSerializer,
    )
    def put(self, request: Request, name: str) -> HttpResponse:
        """Gives it another name, which its transactions show as well."""
        return self._rename(request, wallet_at(request, name), partial=False)

    @extend_schema(
        operation_id="change_wallet",
        parameters=[IF_MATCH, etag_on(200)],
        request=WalletSerializer,
        responses=WalletSerializer,
    )
    def patch(self, request: Request, name: str) -> HttpResponse:
        return self._rename(request, wallet_at(request, name), partial=True)

    @extend_schema(
        operation_id="close_wallet", parameters=[IF_MATCH], responses={204: None, 409: HOLDS_MONEY}
    )
    def delete(self, request: Request, name: str) -> Response:
        """Closes an empty wallet. Its transactions remain, and its name is free again."""
        wallet = wallet_at(request, name)
        bound = only_if_unchanged(request, lambda: _etag(wallet))
        operations.close_wallet(wallet=wallet, if_unchanged=bound)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _rename(self, request: Request, wallet: Wallet, *, partial: bool) -> HttpResponse:
        values = _checked(WalletSerializer, request.data, partial=partial)
        bound = only_if_unchanged(request, lambda: _etag(wallet))
        if values:
            wallet = operations.rename_wallet(
                wallet=wallet, name=values["name"], if_unchanged=bound
            )
        return _answer(wallet, 200)


class BalanceListView(GenericAPIView[Balance]):
    serializer_class = BalanceSerializer

    def get_ordering(self) -> tuple[str, ...]:
        return ("currency", "id")

    @extend_schema(
        operation_id="list_balances",
        parameters=[ListQuery],
        responses=BalanceSerializer(many=True),
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        """What the wallet holds, by currency."""
        self.query = ListQuery.read(request)

        def answer() -> Body:
            wallet = wallet_at(request, name)
            page = self.paginate_queryset(queries.open_balances(wallet.user_id, wallet.pk))
            body: Body = self.get_paginated_response(self.get_serializer(page, many=True).data).data
            return body

        question = f"balances {request.build_absolute_uri()}"
        return kept_answer(request, Answer("wallets", question, answer))

    @extend_schema(
        operation_id="open_balance",
        parameters=[IDEMPOTENCY_KEY],
        responses={201: BalanceSerializer, 409: OpenApiResponse(description="It was closed.")},
    )
    def post(self, request: Request, name: str) -> HttpResponse:
        """Opens a currency. What it opens with is no transaction."""
        me = caller(request)
        attempt = Attempt(request, content=request.data)
        if first := attempt.replayed(user_id=me.pk):
            return first
        wallet = wallet_at(request, name)
        values = _checked(BalanceSerializer, request.data)
        make = partial(_opened, wallet, values["currency"], values.get("amount", money.ZERO))
        return attempt.run(make, user_id=me.pk, owners=[me.pk])


class ConvertedView(APIView):
    @extend_schema(
        operation_id="convert_everything",
        parameters=[ConversionQuery],
        responses={200: ConvertedAnswer, 503: NO_RATES},
    )
    def get(self, request: Request, name: str | None = None) -> HttpResponse:
        """What there is in all wallets, in one currency, at the rates in force."""
        query, me = ConversionQuery.read(request), caller(request)
        to, rate = query["to"], query["rate"]
        called = None if name is None else wallet_name(name)
        # A wallet may be called anything, also "None".
        what = "everything" if called is None else f"wallet {called}"

        def answer() -> Body:
            found = converted(user_id=me.pk, name=called, target=to, column=rate)
            return shown_converted(found, to, rate)

        return kept_answer(request, Answer("converted", f"converted {to} {rate} {what}", answer))


class WalletConvertedView(ConvertedView):
    @extend_schema(
        operation_id="convert_wallet",
        parameters=[ConversionQuery],
        responses={200: ConvertedAnswer, 503: NO_RATES},
    )
    def get(self, request: Request, name: str) -> HttpResponse:  # type: ignore[override]
        """What there is in one wallet, in one currency, at the rates in force."""
        return super().get(request, name)


def _checked(kind: type[Any], data: Any, **options: Any) -> dict[str, Any]:
    serializer = kind(data=data, **options)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def _opened(wallet: Wallet, currency: str, opening: Any) -> HttpResponse:
    balance = operations.open_balance(wallet=wallet, currency=currency, opening=opening)
    return json_answer(json_bytes(BalanceSerializer(balance).data), 201)


def _body(wallet: Wallet) -> bytes:
    return json_bytes(WalletSerializer(wallet).data)


def _etag(wallet: Wallet) -> str:
    return etag_of(_body(wallet), wallet.version)


def _answer(wallet: Wallet, status: int, **headers: str) -> HttpResponse:
    return json_answer(_body(wallet), status, ETag=_etag(wallet), **headers)
