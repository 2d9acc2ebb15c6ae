"""HTTP for registration and login sessions: the routes that need no login."""

from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations
from accounts.api import login_throttle, serializers
from accounts.models import User
from accounts.queries import user_by_login
from accounts.tokens import TokenPair
from fido.lib.api.client_address import client_network
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Attempt, KeyReused, without_key
from fido.lib.api.schema import IDEMPOTENCY_KEY, example
from fido.lib.api.viewsets import BaseViewSet
from fido.lib.cache.counters import Counter

OPEN = "Needs no login. A token sent with the request is ignored."
JANE = example(
    "A person",
    {
        "username": "jane",
        "email": "jane@example.org",
        "password": "correct horse battery",
        "full_name": "Jane Doe",
    },
)
LOGIN = example("By user name", {"username": "jane", "password": "correct horse battery"})
TOKEN = example("A token", {"refresh_token": "the refresh_token of your login"})


class AuthViewSet(BaseViewSet):
    """Registration, and login sessions."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        # Without this header DRF turns a 401 into a 403.
        return "Bearer"

    @extend_schema(
        operation_id="register",
        summary="Register",
        description=f"Creates a login. {OPEN}",
        examples=[JANE],
        parameters=[IDEMPOTENCY_KEY],
        responses={201: serializers.RegistrationSerializer},
    )
    @action(detail=False, methods=["post"], serializer_class=serializers.RegistrationSerializer)
    @without_key("its key belongs to the new user, who exists only after the write")
    def register(self, request: Request) -> HttpResponse:
        address = client_network(request)
        Counter("register", address, settings.REGISTRATIONS_PER_ADDRESS).hit()
        values = self.checked().validated_data
        attempt = Attempt(request, content=_without_password(request.data))
        try:
            return attempt.create(partial(_admitted, operations.applicant(**values)))
        except operations.IdentityTaken:
            if first := _first_registration(request, attempt, values):
                return first
            raise

    @extend_schema(
        operation_id="log_in",
        summary="Log in",
        description=f"Begins a session and returns its tokens. {OPEN}",
        examples=[LOGIN],
        responses=serializers.TokenPairSerializer,
    )
    @action(detail=False, methods=["post"], serializer_class=serializers.LoginSerializer)
    @without_key("a repeated login starts another session")
    def login(self, request: Request) -> Response:
        name, password = self.checked().validated_data.values()
        with login_throttle.counted(request, name):
            pair = operations.log_in(name=name, password=password)
        return _token_answer(pair)

    @extend_schema(
        operation_id="refresh_tokens",
        summary="Get new tokens",
        description="Returns a new pair of tokens. A refresh token works once: using it again ends"
        f" its session. {OPEN}",
        examples=[TOKEN],
        responses=serializers.TokenPairSerializer,
    )
    @action(detail=False, methods=["post"], serializer_class=serializers.RefreshSerializer)
    @without_key("a refresh token works only once anyway")
    def refresh(self, request: Request) -> Response:
        return _token_answer(operations.refresh(refresh_token=self._refresh_token()))

    @extend_schema(
        operation_id="log_out",
        summary="Log out",
        description=f"Ends the session of a refresh token. {OPEN}",
        examples=[TOKEN],
        responses={204: None},
    )
    @action(detail=False, methods=["post"], serializer_class=serializers.RefreshSerializer)
    @without_key("creates nothing")
    def logout(self, request: Request) -> Response:
        operations.log_out(refresh_token=self._refresh_token())
        return Response(status=204)

    def _refresh_token(self) -> str:
        return str(self.checked().validated_data["refresh_token"])


def _admitted(user: User) -> tuple[int, HttpResponse]:
    operations.admit(user)
    return user.pk, json_answer(serializers.RegistrationSerializer(user).data, 201)


def _without_password(body: dict[str, Any]) -> dict[str, Any]:
    # Nothing derived from the password is stored except its Argon2 hash.
    return {name: value for name, value in body.items() if name != "password"}


def _first_registration(
    request: Request, attempt: Attempt, values: dict[str, Any]
) -> HttpResponse | None:
    """The answer that the same registration got before, for a caller who knows its password.

    There is no caller yet, so the key belongs to the new user. In all other cases None: the answer
    then says only that the name is taken.
    """
    user = user_by_login(values["username"])
    with suppress(KeyReused, operations.WrongCredentials):
        first = attempt.replayed(user_id=user.pk) if user else None
        if user and first:
            with login_throttle.counted(request, user.username):
                operations.require_credentials(user=user, password=values["password"])
            return first
    return None


def _token_answer(pair: TokenPair) -> Response:
    # RFC 6749, section 5.1: no intermediary may store a token.
    headers = {"Cache-Control": "no-store"}
    return Response(asdict(pair) | {"token_type": "Bearer"}, headers=headers)
