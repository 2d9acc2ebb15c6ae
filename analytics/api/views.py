"""HTTP for analytics."""

from dataclasses import replace

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.models import User
from accounts.operations import log_access
from analytics import answers
from analytics.api.serializers import AnalyticsAnswer, AnalyticsQuery, SeriesAnswer, SeriesQuery
from fido.lib.api.kept import kept_answer
from fido.lib.cache.answers import Answer, Body
from fido.lib.values.crypto.masking import masked_name
from fido.lib.values.errors import NotFound


class AnalyticsView(APIView):
    """What a user's transactions add up to; exact, and never older than the last write."""

    @extend_schema(
        operation_id="read_analytics", parameters=[AnalyticsQuery], responses=AnalyticsAnswer
    )
    def get(self, request: Request, user_id: int) -> HttpResponse:
        subject = _subject(caller(request), user_id)
        query = AnalyticsQuery.read(request)
        period, currency = query["period"], query.get("currency")

        if subject == caller(request).pk:
            return kept_answer(request, answers.analytics(subject, period, currency))

        def opened() -> Body:
            body = answers.analytics_body(subject, period, currency)
            if not _may_read_name(caller(request), subject):
                body["full_name"] = masked_name(body["full_name"])
            return body

        # Never kept: to read another's is written into the access log each time.
        return kept_answer(request, Answer("analytics", None, opened))


class OwnAnalyticsView(AnalyticsView):
    @extend_schema(
        operation_id="read_own_analytics", parameters=[AnalyticsQuery], responses=AnalyticsAnswer
    )
    def get(self, request: Request, user_id: None = None) -> HttpResponse:  # type: ignore[override]
        return super().get(request, caller(request).pk)


@extend_schema_view(get=extend_schema(operation_id="read_my_analytics"))
class MyAnalyticsView(OwnAnalyticsView):
    """The same under `users/me`."""


class SeriesView(APIView):
    @extend_schema(operation_id="read_series", parameters=[SeriesQuery], responses=SeriesAnswer)
    def get(self, request: Request, user_id: int) -> HttpResponse:
        """One row for each day, week or month that has transactions."""
        subject = _subject(caller(request), user_id)
        query = SeriesQuery.read(request)
        period, interval = query["period"], query["interval"]

        answer = answers.series(subject, period, interval)
        own = subject == caller(request).pk
        return kept_answer(request, answer if own else replace(answer, question=None))


class OwnSeriesView(SeriesView):
    @extend_schema(operation_id="read_own_series", parameters=[SeriesQuery], responses=SeriesAnswer)
    def get(self, request: Request, user_id: None = None) -> HttpResponse:  # type: ignore[override]
        return super().get(request, caller(request).pk)


def _subject(viewer: User, user_id: int) -> int:
    """Whose numbers they are.

    Raises:
        NotFound: somebody else's, and the viewer is not staff with the permission.
    """
    if user_id != viewer.pk and not viewer.may_for_others("transactions.view_transaction"):
        raise NotFound()
    return user_id


def _may_read_name(viewer: User, subject_id: int) -> bool:
    """Staff who may open names are written into the access log before they read one."""
    if not viewer.may_for_others("accounts.view_personal_data"):
        return False
    log_access(actor=viewer, subject_id=subject_id, what="analytics", route="api")
    return True
