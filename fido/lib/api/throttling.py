"""The rate limit of all routes that require a login."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from fido.lib.cache.counters import Counter


class RequestsPerUser(BaseThrottle):
    """Applies `REQUESTS_PER_USER`."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.REQUESTS_PER_USER and request.user.is_authenticated:
            Counter("requests", str(request.user.pk), settings.REQUESTS_PER_USER).hit()
        return True
