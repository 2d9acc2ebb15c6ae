"""`manage.py check`, and so `make check`, refuses a route without what all routes need."""

from types import ModuleType
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fido.lib.api.idempotency import Write, idempotent, without_key
from fido.lib.api.paths import Router
from fido.lib.api.viewsets import BaseViewSet, CreateMixin


class Forgetful(BaseViewSet):
    resource = "wallets"

    def create(self, request: Request) -> Response:
        return Response({}, status=201)


class ForgetfulAction(BaseViewSet):
    resource = "wallets"

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        return Response({}, status=201)


class Careful(CreateMixin):
    resource = None

    @action(detail=False, methods=["post"])
    @idempotent
    def bulk(self, request: Request) -> Write:
        raise NotImplementedError

    @action(detail=False, methods=["post"])
    @without_key("creates nothing")
    def search(self, request: Request) -> Response:
        return Response({})


def errors_of(*patterns: Any) -> list[str | None]:
    urls = ModuleType("urls")
    urls.urlpatterns = [path("api/v1/", include(list(patterns)))]  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls):
        return [error.id for error in run_checks(tags=["urls"])]


def routes_of(viewset: type[BaseViewSet]) -> Any:
    router = Router()
    router.register("things", viewset, basename="thing")
    return path("", include(router.urls))


def test_our_own_routes_pass() -> None:
    assert run_checks(tags=["urls"]) == []


@pytest.mark.parametrize("viewset", [Forgetful, ForgetfulAction])
def test_a_post_that_is_not_idempotent_and_gives_no_reason_is_refused(
    viewset: type[BaseViewSet],
) -> None:
    assert errors_of(routes_of(viewset)) == ["fido.E002"]


def test_a_post_that_is_idempotent_or_gives_a_reason_passes() -> None:
    assert errors_of(routes_of(Careful)) == []


def test_a_view_that_is_not_a_viewset_is_refused() -> None:
    assert errors_of(path("things", APIView.as_view())) == ["fido.E001"]


class Unstated(BaseViewSet):
    def list(self, request: Request) -> Response:
        return Response({})


class Misspelt(Unstated):
    resource = "wallet"


class ForEverybody(Unstated):
    authentication_classes = ()


@pytest.mark.parametrize("viewset", [Unstated, Misspelt])
def test_a_route_that_does_not_say_which_scope_a_key_needs_is_refused(
    viewset: type[BaseViewSet],
) -> None:
    assert errors_of(routes_of(viewset)) == ["fido.E003"]


def test_a_route_that_needs_no_login_needs_no_scope() -> None:
    assert errors_of(routes_of(ForEverybody)) == []
