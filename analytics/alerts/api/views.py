"""HTTP for events and alerts."""

from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.models import User
from analytics.alerts import events, queries
from analytics.alerts.api.serializers import (
    DEPOSIT,
    AlertSerializer,
    AlertsQuery,
    EventAnswer,
    EventSerializer,
    shown,
)
from analytics.alerts.events import NewEvent
from analytics.alerts.models import Alert
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Attempt
from fido.lib.api.kept import kept_answer
from fido.lib.api.schema import IDEMPOTENCY_KEY
from fido.lib.cache.answers import Answer
from fido.lib.values.errors import NotFound
from fido.lib.values.strict_json import json_bytes
from transactions.api.views import may_record_for_others

NO_SUCH_USER = OpenApiResponse(description="There is no such user, or not for the caller.")
REFUSED = OpenApiResponse(
    description="`insufficient-funds`, or `out-of-order`: there is a later event of this user;"
    " or a request with this Idempotency-Key is being worked on. Nothing was recorded."
)


class EventView(APIView):
    @extend_schema(
        operation_id="record_event",
        parameters=[IDEMPOTENCY_KEY],
        request=EventSerializer,
        responses={200: EventAnswer, 404: NO_SUCH_USER, 409: REFUSED},
    )
    def post(self, request: Request) -> HttpResponse:
        """Records a deposit or a withdrawal in the wallet `main`, and says what it raises."""
        me = caller(request)
        attempt = Attempt(request, content=request.data)
        if first := attempt.replayed(user_id=me.pk):
            return first
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        owner = _owner(me, values["user_id"])
        return attempt.run(partial(_recorded, owner, values), user_id=me.pk, owners=[owner.pk])


class AlertListView(GenericAPIView[Alert]):
    serializer_class = AlertSerializer

    def get_ordering(self) -> tuple[str, ...]:
        return ("-time", "-id")

    @extend_schema(
        operation_id="list_alerts",
        parameters=[AlertsQuery],
        responses=AlertSerializer(many=True),
    )
    def get(self, request: Request) -> HttpResponse:
        """One's own alerts, for staff everybody's; those of the latest transactions first."""
        viewer = caller(request)
        self.query = AlertsQuery.read(request)

        def answer() -> Any:
            page = self.paginate_queryset(queries.alerts(viewer=viewer, filters=self.query))
            return self.get_paginated_response([shown(row) for row in page or []]).data

        # Never kept: the background adds to it.
        return kept_answer(request, Answer("alerts", None, answer))


def _owner(me: User, user_id: int) -> User:
    """Whose event it is.

    Raises:
        NotFound: there is no such user, or the caller records their own only.
    """
    if user_id == me.pk:
        return me
    owner = User.objects.filter(pk=user_id).first() if may_record_for_others(me) else None
    if owner is None:
        raise NotFound("There is no such user.")
    return owner


def _recorded(owner: User, values: dict[str, Any]) -> HttpResponse:
    event = NewEvent(
        is_deposit=values["type"] == DEPOSIT, amount=values["amount"], at=values["time"]
    )
    codes = events.record(owner=owner, event=event)
    answer = {"user_id": owner.pk, "alerts": bool(codes), "alert_codes": codes}
    return json_answer(json_bytes(answer))
