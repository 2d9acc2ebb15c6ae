"""HTTP for analytics."""

from dataclasses import replace
from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.models import User
from accounts.operations import log_access
from analytics import answers
from analytics.api.serializers import (
    AnalyticsAnswer,
    AnalyticsQuery,
    FoundAnswer,
    FoundQuery,
    SeriesAnswer,
    SeriesQuery,
)
from analytics.breakdown import breakdown
from fido.lib.api.kept import kept_answer
from fido.lib.api.paths import USER_ID_OR_ME
from fido.lib.api.schema import CONDITIONAL
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.cache.answers import Answer, Body
from fido.lib.values.crypto.masking import masked_name
from fido.lib.values.errors import NotFound
from transactions import queries as transactions
from transactions.api.exports import NOT_BY_NAME
from transactions.api.rights import require_name_search

ANALYTICS: dict[str, Any] = {
    "parameters": [AnalyticsQuery, *CONDITIONAL],
    "responses": AnalyticsAnswer,
}
SERIES: dict[str, Any] = {
    "parameters": [SeriesQuery, *CONDITIONAL],
    "responses": SeriesAnswer,
}


class PersonViewSet(BaseViewSet):
    """The totals of a user's transactions: the caller's own, and for staff any user's."""

    resource = "analytics"
    lookup_url_kwarg = "user_id"
    lookup_value_converter = "user_id"
    path_parameters = {"user_id": USER_ID_OR_ME}

    @extend_schema(
        operation_id="read_analytics", summary="Add up a user's transactions", **ANALYTICS
    )
    @action(detail=True)
    def analytics(self, request: Request, user_id: int) -> HttpResponse:
        """The totals of a user's transactions: exact, and never older than the last write."""
        return _analytics(request, _subject(caller(request), user_id))

    @extend_schema(exclude=True)  # described with the ids
    @action(detail=False, url_path="me/analytics")
    def my_analytics(self, request: Request) -> HttpResponse:
        """The totals of the caller's transactions, under `users/me`."""
        return _analytics(request, caller(request).pk)

    @extend_schema(
        operation_id="read_series", summary="Add up a user's transactions by interval", **SERIES
    )
    @action(detail=True, url_path="analytics/series")
    def series(self, request: Request, user_id: int) -> HttpResponse:
        """One row for each day, week or month that has transactions."""
        return _series(request, _subject(caller(request), user_id))

    @extend_schema(exclude=True)
    @action(detail=False, url_path="me/analytics/series")
    def my_series(self, request: Request) -> HttpResponse:
        """One row for each day, week or month that has transactions."""
        return _series(request, caller(request).pk)


class OwnAnalyticsViewSet(BaseViewSet):
    """The caller's own analytics, at a path that names no user."""

    resource = "analytics"

    @extend_schema(
        operation_id="read_own_analytics", summary="Add up your transactions", **ANALYTICS
    )
    def list(self, request: Request) -> HttpResponse:
        """The totals of the caller's transactions: exact, and never older than the last write."""
        return _analytics(request, caller(request).pk)


class FoundViewSet(BaseViewSet):
    """The totals of the transactions that a filter finds."""

    resource = "analytics"

    @extend_schema(
        operation_id="read_analytics_of_found",
        summary="Add up what filters find",
        parameters=[FoundQuery, *CONDITIONAL],
        responses={200: FoundAnswer, 403: NOT_BY_NAME},
    )
    @action(detail=False)
    def analytics(self, request: Request) -> HttpResponse:
        """The totals of the transactions that the list's filters find, also by category.

        Staff see the names of others masked, as in the list.
        """
        viewer, filters = caller(request), FoundQuery.read(request)
        require_name_search(viewer, filters)
        question = f"found {sorted(filters.items(), key=str)}"
        # Not cached for staff, who see everybody's.
        kept = None if viewer.is_staff else question
        make = partial(_found, viewer, filters)
        return kept_answer(request, Answer("analytics", kept, make))


def _found(viewer: User, filters: dict[str, Any]) -> Body:
    everybody = viewer.may_for_others("transactions.view_transaction")
    subject_id = filters.get("user_id", None if everybody else viewer.pk)
    named = subject_id if everybody and subject_id is not None else viewer.pk
    rows = transactions.history(viewer=viewer, filters=filters)
    found = breakdown(user_id=named, rows=rows)
    currency = filters.get("currency") or found.currency or viewer.currency
    body = answers.breakdown_body(subject_id, found, filters["period"], currency)
    if subject_id != viewer.pk:
        # As in the list: staff see no other user's name in clear.
        body["full_name"] = masked_name(found.full_name) if subject_id == named else None
    return body


def _analytics(request: Request, subject: int) -> HttpResponse:
    query = AnalyticsQuery.read(request)
    period, currency = query["period"], query.get("currency")
    if subject == caller(request).pk:
        return kept_answer(request, answers.analytics(subject, period, currency))

    def opened() -> Body:
        body = answers.analytics_body(subject, period, currency)
        if not _may_read_name(caller(request), subject):
            body["full_name"] = masked_name(body["full_name"])
        return body

    # Never cached: each access to another user's data must be logged.
    return kept_answer(request, Answer("analytics", None, opened))


def _series(request: Request, subject: int) -> HttpResponse:
    query = SeriesQuery.read(request)
    answer = answers.series(subject, query["period"], query["interval"])
    own = subject == caller(request).pk
    return kept_answer(request, answer if own else replace(answer, question=None))


def _subject(viewer: User, user_id: int) -> int:
    """The id of the user whose figures they are.

    Raises:
        NotFound: it is another user, and the viewer is not staff with the permission.
    """
    if user_id != viewer.pk and not viewer.may_for_others("transactions.view_transaction"):
        raise NotFound()
    return user_id


def _may_read_name(viewer: User, subject_id: int) -> bool:
    """Whether the viewer may open names. If so, the access is logged before the name is read."""
    if not viewer.may_for_others("accounts.view_personal_data"):
        return False
    log_access(actor=viewer, subject_id=subject_id, what="analytics", route="api")
    return True
