"""The endpoint that Prometheus scrapes."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from fido.gauges import collector
from fido.lib.api.problems import plain_problem
from fido.lib.values.metrics import exposition


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All counts and gauges, for callers with METRICS_TOKEN; without one there is no page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _shows(settings.METRICS_TOKEN, request):
        refusal = plain_problem(request, 401, "invalid-token", "Show the token for metrics.")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    # Read first: an outage that they meet is among the counts.
    gauges = collector.exposition()
    return HttpResponse(exposition() + gauges, content_type=CONTENT_TYPE_LATEST)


def _shows(token: str, request: HttpRequest) -> bool:
    scheme, _, offered = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(offered.encode(), token.encode())
