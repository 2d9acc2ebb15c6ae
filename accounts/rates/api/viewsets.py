"""HTTP for rates."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.rates import queries
from accounts.rates.api.serializers import RatesAnswer, represent
from fido.lib.api.kept import kept_answer
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.cache.answers import Answer

UNAVAILABLE = OpenApiResponse(description="The bank has given no rates yet.")


class RatesViewSet(BaseViewSet):
    """The table in force, for everybody who is logged in."""

    @extend_schema(operation_id="read_rates", responses={200: RatesAnswer, 503: UNAVAILABLE})
    def list(self, request: Request) -> HttpResponse:
        """The exchange rates in force: what one unit of each currency costs in the base."""
        # Not kept: Redis has the table already.
        return kept_answer(request, Answer("rates", None, lambda: represent(queries.in_force())))
