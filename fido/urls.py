"""The URL configuration. Canonical API paths have no trailing slash; see RequestMiddleware."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerView

from fido import front, health
from fido.lib.api import paths, problems
from fido.lib.api.schema.view import DocumentView
from fido.metrics import metrics

paths.register()

handler400 = problems.bad_request
handler404 = problems.not_found
handler500 = problems.server_error

# No token is checked, and there is no OPTIONS: the docs page has no form for its answer.
PUBLIC: dict[str, Any] = {"authentication_classes": [], "http_method_names": ["get", "head"]}

urlpatterns = [
    path("", front.page),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    path("api/schema", DocumentView.as_view(**PUBLIC), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(**PUBLIC, url_name="schema"), name="docs"),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("accounts.rates.api.urls")),
    path("api/v1/", include("accounts.wallets.api.urls")),
    path("api/v1/", include("transactions.api.urls")),
    path("api/v1/", include("transactions.imports.api.urls")),
    path("api/v1/", include("analytics.api.urls")),
    path("api/v1/", include("analytics.alerts.api.urls")),
]
