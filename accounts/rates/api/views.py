"""HTTP for rates."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.rates import queries
from accounts.rates.api.serializers import RatesAnswer, shown
from fido.lib.api.kept import kept_answer
from fido.lib.cache.answers import Answer

UNAVAILABLE = OpenApiResponse(description="The bank has given no rates yet.")


class RatesView(APIView):
    @extend_schema(operation_id="read_rates", responses={200: RatesAnswer, 503: UNAVAILABLE})
    def get(self, request: Request) -> HttpResponse:
        """The exchange rates in force: what one unit of each currency costs in the base."""
        return kept_answer(request, Answer("rates", None, lambda: shown(queries.in_force())))
