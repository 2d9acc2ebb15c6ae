"""HTTP for a user's own API keys. No key may manage keys."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.request import Request

from accounts import keys
from accounts.api.authentication import caller
from accounts.models import MAX_KEY_NAME_LENGTH, ApiKey
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import without_key
from fido.lib.api.schema import example, path_parameter
from fido.lib.api.scopes import RESOURCES, SCOPES
from fido.lib.api.serializers import ChoiceField, MomentField, StrictSerializer, Text
from fido.lib.api.viewsets import DestroyMixin, ListMixin
from fido.lib.values import clock
from fido.lib.values.errors import NotFound

NIGHTLY = example("To export by night", {"name": "nightly export", "scopes": ["transactions:read"]})
KEY_ID = path_parameter(
    {"type": "string", "format": "uuid"},
    "019c13a5-7f08-7d53-8a19-4e6c90b2d816",
    "The id of a key.",
)
TOO_MANY = OpenApiResponse(description=keys.TooManyKeys.title)


class ExpiryField(MomentField):
    def to_representation(self, value: datetime) -> str:
        return clock.text(value)


# Not an enum in the document, where other resources may follow.
@extend_schema_field({"type": "string", "pattern": f"^({'|'.join(RESOURCES)}):(read|write)$"})
class ScopeField(ChoiceField):
    """One of the scopes."""


class ApiKeySerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    name = Text(max_length=MAX_KEY_NAME_LENGTH, help_text="What it is for; unique among yours.")
    scopes = serializers.ListField(child=ScopeField(SCOPES), min_length=1, max_length=len(SCOPES))
    expires_at = ExpiryField(required=False, allow_null=True, help_text="Null: never.")
    prefix = serializers.CharField(read_only=True, help_text="How the key begins.")
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Up to an hour before it was last used."
    )
    key = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="In the answer that made it. Null ever after: it is stored nowhere.",
    )


@extend_schema_view(
    list=extend_schema(
        operation_id="list_own_keys",
        summary="List your keys",
        description="The caller's API keys.",
    ),
    destroy=extend_schema(
        operation_id="revoke_own_key",
        summary="Revoke one of your keys",
        description="The next request with the key is refused.",
    ),
)
class ApiKeyViewSet(ListMixin, DestroyMixin):
    """The caller's own API keys."""

    resource = None
    serializer_class = ApiKeySerializer
    lookup_field = "pk"
    lookup_url_kwarg = "key_id"
    lookup_value_converter = "uuid"
    path_parameters = {"key_id": KEY_ID}
    kind = "keys"

    def get_question(self) -> None:
        return None  # their use is noted without the fence of a write

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(user_id=caller(self.request).pk)

    def get_object(self) -> ApiKey:
        row = self.get_queryset().filter(pk=self.kwargs["key_id"]).first()
        if row is None:
            raise NotFound()
        return row

    @extend_schema(
        operation_id="make_own_key",
        summary="Make a key",
        examples=[NIGHTLY],
        description="Makes a key. The answer shows it, and nothing does so again. Takes no"
        " Idempotency-Key: if the answer is lost, revoke the key of this name and make another.",
        responses={201: ApiKeySerializer, 409: TOO_MANY},
    )
    @without_key("its answer holds a key, which is stored nowhere; a repeat finds the name taken")
    def create(self, request: Request) -> HttpResponse:
        values = self.checked().validated_data
        row, key = keys.make(user=caller(request), **{"expires_at": None, **values})
        body = self.represent(row) | {"key": key}
        # RFC 6749, section 5.1, says it of tokens: no intermediary may store one.
        return json_answer(body, 201, **{"Cache-Control": "no-store"})

    def perform_destroy(self, row: Any) -> None:
        keys.revoke(user_id=row.user_id, key_id=row.pk)
