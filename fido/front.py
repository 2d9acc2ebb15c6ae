"""The page at `/`: what this is, and where to go from here."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fido import VERSION, health, openapi

PLACES = {
    "api": "/api/v1",
    "docs": "/api/docs",
    "schema": "/api/schema",
    "admin": "/admin/",
    "ready": "/readyz",
}


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """A page for people, the same as JSON for machines: whoever does not ask for HTML."""
    failed = sorted(name for name, failure in health.servers().items() if failure)
    about = {
        "name": "Fido",
        "description": openapi.SUMMARY,
        "version": VERSION,
        "status": "failed" if failed else "ok",
    }
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        response = render(request, "front.html", {**about, **PLACES, "failed": failed})
    else:
        response = JsonResponse(about | PLACES)
    patch_vary_headers(response, ["Accept"])
    return response
