"""HTTP for saved mappings."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.request import Request

from accounts.api.authentication import caller
from fido.lib.api.schema import IF_MATCH, etag_on, example, location_on, path_parameter
from fido.lib.api.viewsets import (
    AmendMixin,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
)
from fido.lib.values.errors import NotFound
from transactions.imports import saved
from transactions.imports.api.serializers import MappingSerializer
from transactions.imports.models import MAX_MAPPING_NAME, SavedMapping

MAPPING_NAME = path_parameter(
    {"type": "string", "minLength": 1, "maxLength": MAX_MAPPING_NAME},
    "giro",
    "The name of one of your mappings.",
)
BANK = {
    "name": "my-bank",
    "mapping": {
        "columns": {
            "Buchungstag": {"role": "transaction_date", "format": "%d.%m.%Y"},
            "Betrag": {"role": "signed_amount"},
            "Verwendungszweck": {"role": "description"},
        },
        "decimal": ",",
        "constants": {"currency": "EUR"},
    },
}
TOO_MANY = OpenApiResponse(description=saved.TooManyMappings.title)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_mappings",
        summary="List your mappings",
        description="The caller's mappings, by name. Those that come with Fido are not listed.",
    ),
    create=extend_schema(
        operation_id="save_mapping",
        summary="Save a mapping",
        description="Saves a mapping, for uploads that name it, and for files that have exactly its"
        " columns.",
        parameters=[location_on(201), etag_on(201)],
        examples=[example("A bank's", BANK)],
        responses={201: MappingSerializer, 409: TOO_MANY},
    ),
    retrieve=extend_schema(
        operation_id="read_mapping",
        summary="Read a mapping",
        description="One of the caller's mappings.",
    ),
    destroy=extend_schema(
        operation_id="delete_mapping",
        summary="Delete a mapping",
        description="Deletes the mapping. Imports that used it are not changed.",
    ),
)
class MappingViewSet(ListMixin, CreateMixin, RetrieveMixin, AmendMixin, DestroyMixin):
    """The caller's own mappings, by name."""

    resource = "imports"
    serializer_class = MappingSerializer
    lookup_field = "name"
    lookup_value_converter = "str"
    path_parameters = {"name": MAPPING_NAME}
    ordering = ("name", "id")
    kind = "mappings"

    def get_question(self) -> None:
        return None  # they are written without the fence of a write

    def get_queryset(self) -> QuerySet[SavedMapping]:
        return SavedMapping.objects.filter(user_id=caller(self.request).pk)

    def get_object(self) -> SavedMapping:
        row = self.get_queryset().filter(name=self.kwargs["name"]).first()
        if row is None:
            raise NotFound()
        return row

    @extend_schema(
        operation_id="replace_mapping",
        summary="Replace a mapping",
        description="Puts another mapping in its place, perhaps under another name.",
        parameters=[IF_MATCH, etag_on(200)],
        examples=[example("A bank's", BANK)],
    )
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return self.amended(partial=False)

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = saved.save(
            user_id=caller(self.request).pk, **serializer.validated_data
        )

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = saved.replace(
            row=serializer.instance, if_unchanged=self.is_bound, **serializer.validated_data
        )

    def perform_destroy(self, row: SavedMapping) -> None:
        saved.delete(row=row, if_unchanged=self.is_bound)
