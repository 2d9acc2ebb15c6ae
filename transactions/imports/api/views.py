"""HTTP for imports."""

from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import caller
from accounts.models import User
from fido.lib.ids import new_id
from fido.lib.problems import NotFound
from fido.lib.uploads import FIELD, NoFile, UploadParser
from transactions.api.views import owner_named
from transactions.imports import operations, queries, tasks
from transactions.imports.api.serializers import ImportAnswer, UploadFields, shown
from transactions.imports.intake import Intake
from transactions.imports.models import Import

REFUSED = OpenApiResponse(description="The file cannot be read, or a field has a bad value.")
NOT_FOR_OTHERS = OpenApiResponse(description="Only staff and services import for others.")
TOO_MANY = OpenApiResponse(description="Too many imports of this user are under way.")
FINISHED = OpenApiResponse(description="It has ended: there is nothing to cancel.")


class ImportListView(APIView):
    parser_classes = [UploadParser]

    def new_receiver(self) -> Intake:
        return Intake(new_id())

    @extend_schema(
        operation_id="start_import",
        request={"multipart/form-data": UploadFields},
        responses={202: ImportAnswer, 400: REFUSED, 403: NOT_FOR_OTHERS, 409: TOO_MANY},
    )
    def post(self, request: Request) -> Response:
        """Takes in a CSV or NDJSON file; a worker makes transactions of it.

        Columns: transaction_date, transaction_amount, transaction_type, and as wanted full_name,
        currency, description, external_id. Ask the Location how far it has come.
        """
        intake: Intake | None = request.FILES.get(FIELD)
        if intake is None:  # a body of no bytes is not parsed
            raise NoFile()
        try:
            row = self._submitted(caller(request), intake, request.data)
        except BaseException:
            intake.abandon()
            raise
        location = request.build_absolute_uri(f"{request.path}/{row.pk}")
        return Response(shown(row), status.HTTP_202_ACCEPTED, headers={"Location": location})

    def _submitted(self, sender: User, intake: Intake, form: Any) -> Import:
        fields = {name: value for name, value in form.dict().items() if name != FIELD}
        serializer = UploadFields(data=fields, partial=True)
        serializer.is_valid(raise_exception=True)
        owner = owner_named(sender, serializer.validated_data.get("user_id"))
        layout = intake.finish()
        with transaction.atomic():
            row = operations.submit(
                id_=intake.import_id,
                owner=owner,
                created_by=sender,
                layout=layout,
                size_bytes=intake.size_bytes,
            )
            transaction.on_commit(lambda: tasks.request_import(owner.pk, row.pk), robust=True)
        return row


IMPORT_ID = OpenApiParameter("import_id", UUID, OpenApiParameter.PATH)


@extend_schema(parameters=[IMPORT_ID])
class ImportView(APIView):
    @extend_schema(operation_id="read_import", responses=ImportAnswer)
    def get(self, request: Request, import_id: UUID) -> Response:
        """How far it has come, and the first 1,000 errors by line."""
        user_id = _owner_id(caller(request), import_id, "view")
        row = Import.objects.filter(user_id=user_id, id=import_id).first()
        if row is None:
            raise NotFound()
        return Response(shown(row))

    @extend_schema(operation_id="cancel_import", responses={204: None, 409: FINISHED})
    def delete(self, request: Request, import_id: UUID) -> Response:
        """Cancels it. Rows that were created stay."""
        user_id = _owner_id(caller(request), import_id, "change")
        operations.cancel(user_id=user_id, import_id=import_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _owner_id(viewer: User, import_id: UUID, verb: str) -> int:
    """Whose import it is, if the viewer may know: theirs, sent by them, or any for staff.

    Raises:
        NotFound: else, so that nobody learns whether it exists.
    """
    user_id, sender_id = queries.owner_of(import_id) or (0, 0)
    if viewer.pk in {user_id, sender_id} or viewer.may_for_others(f"imports.{verb}_import"):
        return user_id
    raise NotFound()
