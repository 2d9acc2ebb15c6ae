"""HTTP for imports."""

from contextlib import closing
from functools import partial
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.models import User
from fido.lib.api import conditional
from fido.lib.api.conditional import etag_of, json_answer, only_if_unchanged
from fido.lib.api.idempotency import Attempt
from fido.lib.api.schema import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, etag_on
from fido.lib.api.uploads import FIELD, NoFile, UploadParser
from fido.lib.values.errors import NotFound
from fido.lib.values.ids import new_id
from fido.lib.values.strict_json import json_bytes
from transactions.api.views import owner_named
from transactions.imports import operations, queries
from transactions.imports.api.serializers import ImportAnswer, UploadFields, shown
from transactions.imports.intake import Intake
from transactions.imports.models import Import
from transactions.imports.submission import submitted

REFUSED = OpenApiResponse(description="The file cannot be read, or a field has a bad value.")
TOO_LARGE = OpenApiResponse(description="The file is larger than imports may be.")
NO_FORM = OpenApiResponse(description="The body is no multipart form.")
NOT_FOR_OTHERS = OpenApiResponse(description="Only staff and services import for others.")
TOO_MANY = OpenApiResponse(description="Too many imports of this user are under way.")
NO_ROOM = OpenApiResponse(description="No room for the file, or no database, just now.")
FINISHED = OpenApiResponse(description="It has ended: there is nothing to cancel.")


class ImportListView(APIView):
    parser_classes = [UploadParser]

    def new_receiver(self) -> Intake:
        return Intake(new_id())

    @extend_schema(
        operation_id="start_import",
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": UploadFields},
        responses={
            202: ImportAnswer,
            400: REFUSED,
            403: NOT_FOR_OTHERS,
            409: TOO_MANY,
            413: TOO_LARGE,
            415: NO_FORM,
            503: NO_ROOM,
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Takes in a CSV or NDJSON file; a worker makes transactions of it.

        Columns: transaction_date, transaction_amount, transaction_type, and as wanted full_name,
        currency, description, external_id, wallet. Ask the Location how far it has come.
        """
        intake: Intake | None = request.FILES.get(FIELD)
        if intake is None:  # a body of no bytes is not parsed
            raise NoFile()
        with closing(intake):
            sender = caller(request)
            attempt = Attempt(request, content=[intake.digest, _fields(request)])
            if first := attempt.replayed(user_id=sender.pk):
                return first
            owner = owner_named(sender, _user_id(request))
            make = partial(_started, request, intake, owner)
            return attempt.run(make, user_id=sender.pk, owners=[])


def _started(request: Request, intake: Intake, owner: User) -> HttpResponse:
    row = submitted(intake, owner=owner, sender=caller(request))
    location = request.build_absolute_uri(f"{request.path}/{row.pk}")
    return json_answer(json_bytes(shown(row)), status.HTTP_202_ACCEPTED, Location=location)


def _fields(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.data.items() if name != FIELD}


def _user_id(request: Request) -> int | None:
    serializer = UploadFields(data=_fields(request), partial=True)
    serializer.is_valid(raise_exception=True)
    user_id: int | None = serializer.validated_data.get("user_id")
    return user_id


IMPORT_ID = OpenApiParameter("import_id", UUID, OpenApiParameter.PATH)


@extend_schema(parameters=[IMPORT_ID])
class ImportView(APIView):
    @extend_schema(
        operation_id="read_import",
        parameters=[IF_NONE_MATCH, etag_on(200)],
        responses=ImportAnswer,
    )
    def get(self, request: Request, import_id: UUID) -> HttpResponse:
        """How far it has come, and the first 1,000 errors by line."""
        body = json_bytes(shown(_row(caller(request), import_id, "view")))
        return conditional.answer(request, body, etag_of(body))

    @extend_schema(
        operation_id="cancel_import", parameters=[IF_MATCH], responses={204: None, 409: FINISHED}
    )
    def delete(self, request: Request, import_id: UUID) -> Response:
        """Cancels it. Rows that were created stay."""
        row = _row(caller(request), import_id, "change")
        bound = only_if_unchanged(request, lambda: etag_of(json_bytes(shown(row))))
        operations.cancel(row=row, if_unchanged=bound)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _row(viewer: User, import_id: UUID, verb: str) -> Import:
    """The import, if it is the viewer's, or was sent by them, or they are staff with the right.

    Raises:
        NotFound: else, so that nobody learns whether it exists.
    """
    row = Import.objects.filter(user_id=viewer.pk, id=import_id).first()
    row = row or _of_somebody_else(viewer, import_id, verb)
    if row is None:
        raise NotFound()
    return row


def _of_somebody_else(viewer: User, import_id: UUID, verb: str) -> Import | None:
    may_any = viewer.may_for_others(f"imports.{verb}_import")
    # Whoever may have sent one for somebody else.
    if not (may_any or viewer.is_staff or viewer.is_service):
        return None
    user_id, sender_id = queries.owner_of(import_id) or (0, 0)
    if not (may_any or sender_id == viewer.pk):
        return None
    return Import.objects.filter(user_id=user_id, id=import_id).first()
