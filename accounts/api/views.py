"""HTTP for accounts: throttle, check shape, call one operation."""

from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import operations
from accounts.api import login_throttle, serializers
from accounts.api.authentication import caller, session_id
from accounts.models import User
from accounts.queries import user_by_login
from accounts.tokens import TokenPair
from fido.lib.api import conditional
from fido.lib.api.client_address import client_network
from fido.lib.api.conditional import etag_of, json_answer, only_if_unchanged
from fido.lib.api.idempotency import Attempt, KeyReused
from fido.lib.api.pagination import ListQuery
from fido.lib.api.schema import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, etag_on
from fido.lib.cache.counters import Counter
from fido.lib.values.errors import NotFound
from fido.lib.values.strict_json import json_bytes


class AnonymousView(APIView):
    """For those who are not logged in. A token that came along is not even looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        # Without it DRF turns a 401 into a 403.
        return "Bearer"


class RegisterView(AnonymousView):
    @extend_schema(
        operation_id="register",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.RegistrationSerializer,
        responses={201: serializers.RegistrationSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        address = client_network(request)
        Counter("register", address, settings.REGISTRATIONS_PER_ADDRESS).hit()
        serializer = serializers.RegistrationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        attempt = Attempt(request, content=_without_password(request.data))
        try:
            return attempt.create(partial(_registered, values))
        except operations.Taken:
            if first := _first_registration(request, attempt, values):
                return first
            raise


def _registered(values: dict[str, Any]) -> tuple[int, HttpResponse]:
    user = operations.register(**values)
    return user.pk, json_answer(json_bytes(serializers.RegistrationSerializer(user).data), 201)


def _without_password(body: dict[str, Any]) -> dict[str, Any]:
    # Nothing that is made of it is kept besides its Argon2 hash.
    return {name: value for name, value in body.items() if name != "password"}


def _first_registration(
    request: Request, attempt: Attempt, values: dict[str, Any]
) -> HttpResponse | None:
    """The answer that this very registration got before, for who knows its key and password.

    There is no caller yet, so the key is the new user's. Else it is None, whatever the reason:
    what is answered then tells no more than that the name is taken.
    """
    user = user_by_login(values["username"])
    with suppress(KeyReused, operations.WrongCredentials):
        first = attempt.replayed(user_id=user.pk) if user else None
        if user and first:
            with login_throttle.counted(request, user.username):
                operations.require_credentials(user=user, password=values["password"])
            return first
    return None


class LoginView(AnonymousView):
    @extend_schema(
        operation_id="log_in",
        request=serializers.LoginSerializer,
        responses=serializers.TokenPairSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = serializers.LoginSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        name, password = serializer.validated_data.values()
        with login_throttle.counted(request, name):
            pair = operations.log_in(name=name, password=password)
        return _token_answer(pair)


class RefreshView(AnonymousView):
    @extend_schema(
        operation_id="refresh",
        request=serializers.RefreshSerializer,
        responses=serializers.TokenPairSerializer,
    )
    def post(self, request: Request) -> Response:
        return _token_answer(operations.refresh(refresh_token=_refresh_token(request)))


class LogoutView(AnonymousView):
    @extend_schema(
        operation_id="log_out", request=serializers.RefreshSerializer, responses={204: None}
    )
    def post(self, request: Request) -> Response:
        operations.log_out(refresh_token=_refresh_token(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    @extend_schema(
        operation_id="read_own_profile",
        parameters=[IF_NONE_MATCH, etag_on(200)],
        responses=serializers.UserSerializer,
    )
    def get(self, request: Request) -> HttpResponse:
        body = _profile(caller(request))
        return conditional.answer(request, body, etag_of(body))

    @extend_schema(
        operation_id="change_own_profile",
        parameters=[IF_MATCH, etag_on(200)],
        request=serializers.ProfileSerializer,
        responses=serializers.UserSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        serializer = serializers.ProfileSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        user, changes = caller(request), serializer.validated_data
        bound = only_if_unchanged(request, lambda: etag_of(_profile(user)))
        user = operations.update_profile(user=user, changes=changes, if_unchanged=bound)
        return json_answer(_profile(user), ETag=etag_of(_profile(user)))


def _profile(user: User) -> bytes:
    return json_bytes(serializers.UserSerializer(user).data)


class PasswordView(APIView):
    @extend_schema(
        operation_id="change_own_password",
        request=serializers.PasswordChangeSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        serializer = serializers.PasswordChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        current_password, new_password = serializer.validated_data.values()
        user = caller(request)
        # Whoever found an open session may not try passwords without end either.
        with login_throttle.counted(request, user.username):
            operations.require_password(user=user, password=current_password)
        operations.change_password(
            user=user, new_password=new_password, session_id=session_id(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserListView(GenericAPIView[User]):
    serializer_class = serializers.MaskedUserSerializer

    def get_ordering(self) -> tuple[str, ...]:
        return ("id",)

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.all()

    @extend_schema(
        operation_id="list_users",
        parameters=[ListQuery],
        responses={
            200: serializers.MaskedUserSerializer(many=True),
            403: OpenApiResponse(description="Staff only."),
        },
    )
    def get(self, request: Request) -> Response:
        """Staff only; names and addresses are masked."""
        if not caller(request).may_for_others("accounts.view_user"):
            raise PermissionDenied()
        self.query = ListQuery.read(request)
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class UserDetailView(APIView):
    @extend_schema(
        operation_id="read_user",
        parameters=[IF_NONE_MATCH, etag_on(200)],
        responses=serializers.UserSerializer,
    )
    def get(self, request: Request, user_id: int) -> HttpResponse:
        """One's own profile, or for staff anybody's; opening another's is logged first."""
        actor = caller(request)
        own = actor.pk == user_id
        if not own and not actor.may_for_others("accounts.view_user"):
            raise NotFound()
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            raise NotFound()
        body = json_bytes(_opened(user, actor).data)
        return conditional.answer(request, body, etag_of(body))


def _opened(user: User, actor: User) -> Any:
    if user != actor and not actor.may_for_others("accounts.view_personal_data"):
        return serializers.MaskedUserSerializer(user)
    operations.log_access(actor=actor, subject_id=user.pk, what=f"user {user.pk}", route="api")
    return serializers.UserSerializer(user)


def _refresh_token(request: Request) -> str:
    serializer = serializers.RefreshSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["refresh_token"])


def _token_answer(pair: TokenPair) -> Response:
    # RFC 6749, section 5.1: nothing on the way may keep a token.
    headers = {"Cache-Control": "no-store"}
    return Response(asdict(pair) | {"token_type": "Bearer"}, headers=headers)
