"""HTTP for events and alerts."""

from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view

from accounts.api.authentication import caller
from accounts.models import User
from analytics.alerts import events, queries
from analytics.alerts.api.serializers import (
    DEPOSIT,
    AlertSerializer,
    AlertsQuery,
    EventAnswer,
    EventSerializer,
)
from analytics.alerts.events import NewEvent
from analytics.alerts.models import Alert
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Write
from fido.lib.api.schema import example
from fido.lib.api.viewsets import CreateMixin, ListMixin
from fido.lib.values.errors import NotFound
from transactions.api.rights import may_record_for_others

NO_SUCH_USER = OpenApiResponse(
    description="There is no such user, or the caller may not record for them."
)
REFUSED = OpenApiResponse(
    description="`insufficient-funds`; or `out-of-order`: this user has a later event;"
    " or a request with this Idempotency-Key is in progress. Nothing was recorded."
)
DEPOSITED = example(
    "A deposit", {"type": DEPOSIT, "amount": "42.00", "user_id": 1, "time": 1769860800}
)


@extend_schema_view(
    create=extend_schema(
        operation_id="record_event",
        summary="Record an event",
        description="Records a deposit or a withdrawal in the wallet `main`, and returns the codes"
        " of the rules that it raises.",
        examples=[DEPOSITED],
        responses={200: EventAnswer, 404: NO_SUCH_USER, 409: REFUSED},
    )
)
class EventViewSet(CreateMixin):
    """Callers record their own events; staff and services also those of others."""

    resource = "events"
    serializer_class = EventSerializer

    def get_write(self) -> Write:
        values = self.checked().validated_data
        me = caller(self.request)
        owner = _owner(me, values["user_id"])
        return Write(partial(_recorded, me, owner, values), owners=[owner.pk])


@extend_schema_view(
    list=extend_schema(
        operation_id="list_alerts",
        summary="List alerts",
        description="The caller's alerts; for staff, everybody's. Those of the latest transactions"
        " come first. Webhooks send new ones: each as `data` of an `alert.raised`, or to endpoints"
        " that take several in a message, up to 100 of a user as `data.alerts` of an"
        " `alerts.raised`.",
    )
)
class AlertViewSet(ListMixin):
    """The caller's alerts; for staff, everybody's."""

    resource = "alerts"
    serializer_class = AlertSerializer
    query_class = AlertsQuery
    ordering = ("-time", "-id")
    kind = "alerts"

    def get_question(self) -> None:
        return None  # background jobs add alerts

    def get_queryset(self) -> QuerySet[Alert]:
        return queries.alerts(viewer=caller(self.request), filters=self.query)


def _owner(me: User, user_id: int) -> User:
    """The user whose event it is.

    Raises:
        NotFound: there is no such user, or the caller may record only their own events.
    """
    if user_id == me.pk:
        return me
    owner = User.objects.filter(pk=user_id).first() if may_record_for_others(me) else None
    if owner is None:
        raise NotFound("There is no such user.")
    return owner


def _recorded(me: User, owner: User, values: dict[str, Any]) -> HttpResponse:
    event = NewEvent(
        is_deposit=values["type"] == DEPOSIT, amount=values["amount"], at=values["time"]
    )
    codes = events.record(owner=owner, event=event, recorded_by=me.pk)
    answer = {"user_id": owner.pk, "alerts": bool(codes), "alert_codes": codes}
    return json_answer(answer)
