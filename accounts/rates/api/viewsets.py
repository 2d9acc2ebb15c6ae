"""HTTP for rates."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.rates import queries
from accounts.rates.api.serializers import RatesAnswer, represent
from fido.lib.api.kept import kept_answer
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.cache.answers import Answer

UNAVAILABLE = OpenApiResponse(description="The bank has not delivered any rates yet.")


class RatesViewSet(BaseViewSet):
    """The table in force, for all logged-in users."""

    resource = "rates"

    @extend_schema(operation_id="read_rates", responses={200: RatesAnswer, 503: UNAVAILABLE})
    def list(self, request: Request) -> HttpResponse:
        """The exchange rates in force: the price of one unit of each currency in the base."""
        # Not cached: the table is already in Redis.
        return kept_answer(request, Answer("rates", None, lambda: represent(queries.in_force())))
