"""HTTP for currencies and their rates."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from accounts.rates import queries
from accounts.rates.api.serializers import CurrenciesAnswer, RatesAnswer, represent
from fido.lib.api import conditional
from fido.lib.api.kept import kept_answer
from fido.lib.api.schema import CONDITIONAL
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.cache.answers import Answer
from fido.lib.values import money
from fido.lib.values.strict_json import json_bytes

_CURRENCIES = json_bytes(
    {
        "results": [
            {"code": code, "name": money.CURRENCY_NAMES[code], "decimals": decimals}
            for code, decimals in sorted(money.CURRENCIES.items())
        ]
    }
)
_CURRENCIES_TAG = conditional.etag_of(_CURRENCIES)
UNAVAILABLE = OpenApiResponse(description="The bank has not delivered any rates yet.")


class RatesViewSet(BaseViewSet):
    """The table in force, for all logged-in users."""

    resource = "rates"

    @extend_schema(
        operation_id="read_rates",
        summary="Read the exchange rates",
        parameters=CONDITIONAL,
        responses={200: RatesAnswer, 503: UNAVAILABLE},
    )
    def list(self, request: Request) -> HttpResponse:
        """The exchange rates in force: the price of one unit of each currency in the base."""
        # Not cached: the table is already in Redis.
        return kept_answer(request, Answer("rates", None, lambda: represent(queries.in_force())))


class CurrenciesViewSet(BaseViewSet):
    """The currencies that amounts may have, the same for everybody."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="list_currencies",
        summary="List the currencies",
        parameters=CONDITIONAL,
        responses=CurrenciesAnswer,
    )
    def list(self, request: Request) -> HttpResponse:
        """The currencies that amounts may have, all at once. Needs no login."""
        return conditional.answer(request, _CURRENCIES, _CURRENCIES_TAG)
