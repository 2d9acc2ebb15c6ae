"""HTTP for users: permissions, shapes, operations."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations
from accounts.api import login_throttle, serializers
from accounts.api.authentication import caller, session_id
from accounts.api.permissions import UserPermission
from accounts.models import User
from fido.lib.api.idempotency import without_key
from fido.lib.api.paths import USER_ID
from fido.lib.api.schema import CONDITIONAL, IF_MATCH, etag_on, example
from fido.lib.api.scopes import logins_only
from fido.lib.api.viewsets import AmendMixin, ListMixin, RetrieveMixin
from fido.lib.cache.answers import Body
from fido.lib.values.errors import NotFound

OWN = ("me", "change_me")
NEW_PASSWORD = example(
    "A new password",
    {"current_password": "correct horse battery", "new_password": "staple battery horse"},
)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_users",
        summary="List users",
        description="Staff only; names and addresses are masked.",
        responses={
            200: serializers.UserSerializer(many=True),
            403: OpenApiResponse(description="Staff only."),
        },
    ),
    retrieve=extend_schema(
        operation_id="read_user",
        summary="Read a user",
        description="The caller's own profile; for staff, any user's. An access to another user's"
        " names is logged first.",
        responses=serializers.UserSerializer,
    ),
)
class UserViewSet(ListMixin, RetrieveMixin, AmendMixin):
    """Staff see all users; others see only themselves."""

    resource = "users"
    permission_classes = (IsAuthenticated, UserPermission)
    serializer_class = serializers.UserSerializer
    lookup_url_kwarg = "user_id"
    lookup_value_converter = "user_id"
    path_parameters = {"user_id": USER_ID}
    kind = "users"

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.all()

    def get_question(self) -> None:
        return None  # the list shows all users, but a cache version covers only one

    def get_object(self) -> User:
        me = caller(self.request)
        # The caller's own is read anew too: authentication has read some of its columns earlier.
        user_id = me.pk if self.action in OWN else self.kwargs["user_id"]
        if me.pk != user_id and not me.may_for_others("accounts.view_user"):
            raise NotFound()
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            raise NotFound()
        return user

    def represent(self, row: User) -> Body:
        me = caller(self.request)
        clear = row == me or me.may_for_others("accounts.view_personal_data")
        shape = serializers.UserSerializer if clear else serializers.MaskedUserSerializer
        return dict(shape(row).data)

    def represent_page(self, rows: list[User]) -> list[Body]:
        return list(serializers.MaskedUserSerializer(rows, many=True).data)

    def open(self, row: User) -> Body:
        me = caller(self.request)
        if me.may_for_others("accounts.view_personal_data"):
            operations.log_access(actor=me, subject_id=row.pk, what=f"user {row.pk}", route="api")
        return self.represent(row)

    @extend_schema(
        operation_id="read_own_profile",
        summary="Read your profile",
        description="The caller's own profile.",
        parameters=CONDITIONAL,
        responses=serializers.UserSerializer,
    )
    @action(detail=False)
    def me(self, request: Request) -> HttpResponse:
        return self.retrieve(request)

    @extend_schema(
        operation_id="change_own_profile",
        summary="Change your profile",
        description="Changes what the body has, and leaves the rest. An e-mail address can be"
        " replaced, not removed.",
        examples=[example("Name and currency", {"full_name": "Jane Doe", "currency": "EUR"})],
        parameters=[IF_MATCH, etag_on(200)],
        request=serializers.ProfileSerializer,
        responses=serializers.UserSerializer,
    )
    @me.mapping.patch
    def change_me(self, request: Request) -> HttpResponse:
        return self.amended(partial=True)

    def get_serializer_class(self) -> Any:
        return (
            serializers.ProfileSerializer if self.action == "change_me" else self.serializer_class
        )

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = operations.update_profile(
            user=serializer.instance,
            changes=serializer.validated_data,
            if_unchanged=self.is_bound,
        )

    @extend_schema(
        operation_id="change_own_password",
        summary="Change your password",
        description="Changes it, and ends all other sessions at once.",
        examples=[NEW_PASSWORD],
        request=serializers.PasswordChangeSerializer,
        responses={204: None},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="me/password",
        serializer_class=serializers.PasswordChangeSerializer,
    )
    @logins_only
    @without_key("creates nothing")
    def password(self, request: Request) -> Response:
        current_password, new_password = self.checked().validated_data.values()
        user = caller(request)
        # Counted as well, so that someone who finds an open session cannot guess passwords freely.
        with login_throttle.counted(request, user.username):
            operations.require_password(user=user, password=current_password)
        operations.change_password(
            user=user, new_password=new_password, session_id=session_id(request)
        )
        return Response(status=204)
