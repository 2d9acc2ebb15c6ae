"""POST /users: a customer who does not log in. It makes a wallet, and so it is here."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.api.views import UserListView
from accounts.wallets import operations
from accounts.wallets.api.serializers import CustomerSerializer
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Attempt
from fido.lib.api.schema import IDEMPOTENCY_KEY
from fido.lib.values import money
from fido.lib.values.strict_json import json_bytes

NOT_STAFF = OpenApiResponse(description="Only staff and services create customers.")


class UsersView(UserListView):
    @extend_schema(
        operation_id="create_customer",
        parameters=[IDEMPOTENCY_KEY],
        request=CustomerSerializer,
        responses={201: CustomerSerializer, 403: NOT_STAFF},
    )
    def post(self, request: Request) -> HttpResponse:
        """Creates a customer who cannot log in, with `total` in a wallet named `main`."""
        me = caller(request)
        if not (me.may_for_others("accounts.add_user") or me.is_service):
            raise PermissionDenied()
        attempt = Attempt(request, content=request.data)
        if first := attempt.replayed(user_id=me.pk):
            return first
        serializer = CustomerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        return attempt.run(lambda: _created(request, values), user_id=me.pk, owners=[])


def _created(request: Request, values: dict[str, Any]) -> HttpResponse:
    currency, total = values["currency"], values["total"]
    user = operations.create_customer(full_name=values["name"], currency=currency, total=total)
    answer = {"id": user.pk, "name": values["name"], "total": money.text(total, currency)}
    location = request.build_absolute_uri(f"{request.path}/{user.pk}")
    return json_answer(json_bytes(answer), 201, Location=location)
