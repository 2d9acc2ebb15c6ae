"""HTTP for imports."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.models import User
from fido.lib.api.conditional import json_answer
from fido.lib.api.idempotency import Write, without_key
from fido.lib.api.schema import example, location_on, path_parameter
from fido.lib.api.uploads import FIELD, NoFile, UploadParser
from fido.lib.api.viewsets import CreateMixin, DestroyMixin, ListMixin, RetrieveMixin
from fido.lib.cache.answers import Body
from fido.lib.values.errors import NotFound
from fido.lib.values.ids import new_id
from transactions.api.rights import owner_named, require_recording_for_others
from transactions.files import columns
from transactions.imports import operations, queries, saved
from transactions.imports.api.rights import require_deletion
from transactions.imports.api.serializers import (
    ImportAnswer,
    ImportPreview,
    ImportQuery,
    UploadFields,
    represent_preview,
)
from transactions.imports.header import UploadRefused
from transactions.imports.intake import Intake
from transactions.imports.models import Import
from transactions.imports.preview import preview
from transactions.imports.spool import SpoolLost, SpoolUnavailable
from transactions.imports.submission import Upload, submitted, undo_submitted
from transactions.mappings.mapping import ColumnMapping
from transactions.statements.items import NotReadable
from transactions.statements.recognition import STATEMENTS

TAKES_IN = f"""Accepts a CSV or NDJSON file; a worker creates transactions from it.

{columns.sentence()} Or a bank's file: {", ".join(STATEMENTS.values())}. Also packed: gzip, or
a ZIP of one file. The Location shows its progress."""
REFUSED = OpenApiResponse(description="The file cannot be read, or a field has a bad value.")
TOO_LARGE = OpenApiResponse(description="The file is larger than imports may be.")
NO_FORM = OpenApiResponse(description="The body is not a multipart form.")
NOT_FOR_OTHERS = OpenApiResponse(description="Only staff and services may import for others.")
TOO_MANY = OpenApiResponse(description="Too many imports of this user are unfinished.")
NO_ROOM = OpenApiResponse(description="There is temporarily no room for the file, or no database.")
FORM = "multipart/form-data"
CSV = """transaction_date,transaction_amount,transaction_type,currency,description
2026-01-31,19.99,debit,USD,Groceries
"""
IMPORT_ID = path_parameter(
    {"type": "string", "format": "uuid"},
    "019c13a5-7f08-7d53-8a19-4e6c90b2d815",
    "The id of an import.",
)
# What a list leaves out.
LONG = ("errors", "warnings", "kept")
FINISHED = OpenApiResponse(description="The import has already ended.")
NOT_DELETED = OpenApiResponse(description="The caller may not delete other users' transactions.")
NOT_UNDONE = OpenApiResponse(
    description="The import has not ended; or it is older than undo; or too many imports of this"
    " user are unfinished."
)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_imports",
        summary="List your imports",
        description="The imports into the caller's transactions, newest first, without what was"
        " refused.",
        responses=ImportAnswer(many=True),
    ),
    create=extend_schema(
        operation_id="start_import",
        summary="Import a file",
        description=TAKES_IN,
        parameters=[ImportQuery, location_on(202)],
        examples=[example("A CSV file", {"file": CSV}, media_type=FORM)],
        request={FORM: UploadFields},
        responses={
            200: ImportPreview,
            202: ImportAnswer,
            400: REFUSED,
            403: NOT_FOR_OTHERS,
            409: TOO_MANY,
            413: TOO_LARGE,
            415: NO_FORM,
            503: NO_ROOM,
        },
    ),
    retrieve=extend_schema(
        operation_id="read_import",
        summary="Read an import's progress",
        description="The import's progress, and its first 1,000 errors by line.",
    ),
    destroy=extend_schema(
        operation_id="cancel_import",
        summary="Cancel an import",
        description="Cancels the import, or stops its undo. Rows that it has created stay.",
        responses={204: None, 409: FINISHED},
    ),
)
class ImportViewSet(ListMixin, CreateMixin, RetrieveMixin, DestroyMixin):
    """The caller's own imports, those that the caller has sent, and for staff everybody's."""

    resource = "imports"
    serializer_class = ImportAnswer
    parser_classes = [UploadParser]
    lookup_field = "pk"
    lookup_url_kwarg = "import_id"
    lookup_value_converter = "uuid"
    path_parameters = {"import_id": IMPORT_ID}
    ordering = ("-created_at", "-id")
    kind = "imports"
    intake: Intake | None = None

    def new_receiver(self) -> Intake:
        self.intake = Intake(new_id())
        return self.intake

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            if self.intake:
                self.intake.close()

    def get_question(self) -> None:
        return None  # a worker claims and ends an import without the fence of a write

    def get_queryset(self) -> QuerySet[Import]:
        return Import.objects.filter(user_id=caller(self.request).pk).defer(*LONG)

    def represent_page(self, rows: list[Import]) -> list[Body]:
        shapes = [ImportAnswer(row) for row in rows]
        for shape in shapes:
            for name in (*LONG, "mapping"):
                del shape.fields[name]
        return [dict(shape.data) for shape in shapes]

    def get_object(self) -> Import:
        verb = "change" if self.action in {"destroy", "undo"} else "view"
        return _import_for(caller(self.request), self.kwargs["import_id"], verb)

    def get_content(self) -> Any:
        return [self._taken_in().digest, self._fields()]

    def get_write(self) -> Write:
        is_rehearsal = ImportQuery.read(self.request)["dry_run"]
        intake, fields = self._taken_in(), self._checked_fields()
        me, by_user = caller(self.request), fields.get("by_user", False)
        if by_user:
            require_recording_for_others(me)
        upload = Upload(
            intake=intake,
            sender=me,
            owner=owner_named(me, fields.get("user_id")),
            mapping=self._mapping(fields.get("mapping")),
            by_user=by_user,
        )
        work = self._previewed if is_rehearsal else self._started
        return Write(partial(work, upload), owners=[], is_rehearsal=is_rehearsal)

    def perform_destroy(self, row: Import) -> None:
        operations.cancel(row=row, if_unchanged=self.is_bound)

    @extend_schema(
        operation_id="undo_import",
        summary="Undo an import",
        request=None,
        responses={202: ImportAnswer, 403: NOT_DELETED, 409: NOT_UNDONE},
    )
    @action(detail=True, methods=["post"])
    @without_key("a repeated undo only tries again what was kept")
    def undo(self, request: Request, import_id: UUID) -> HttpResponse:
        """Deletes the transactions that the import created, except those changed since.

        A worker does it, and the answer shows how far it is; at the end its status is `undone`.
        A transaction stays, and is one of `kept`, if it was changed (`changed`), or if its wallet
        refuses the deletion, for example as `insufficient-funds`. Undo it again to try those again.
        """
        row = self.get_object()
        require_deletion(caller(request), row)
        return json_answer(self.represent(undo_submitted(row)), 202)

    def _started(self, upload: Upload) -> HttpResponse:
        row = submitted(upload)
        return json_answer(self.represent(row), 202, Location=self.url_of(row))

    def _previewed(self, upload: Upload) -> HttpResponse:
        me, layout = upload.sender, upload.layout()
        is_own = upload.owner == me and not upload.by_user
        may_compare = is_own or me.may_for_others("transactions.view_transaction")
        try:
            found = preview(
                upload.intake.import_id,
                owner=upload.owner,
                layout=layout,
                sender=me,
                may_compare=may_compare,
            )
        except NotReadable as error:
            raise UploadRefused(error.code, error.detail) from None
        except SpoolLost:
            raise SpoolUnavailable() from None
        return json_answer(represent_preview(found))

    def _mapping(self, given: ColumnMapping | str | None) -> ColumnMapping | None:
        return saved.named(caller(self.request).pk, given) if isinstance(given, str) else given

    def _taken_in(self) -> Intake:
        intake: Intake | None = self.request.FILES.get(FIELD)
        if intake is None:  # an empty body is not parsed
            raise NoFile()
        return intake

    def _fields(self) -> dict[str, str]:
        return {name: value for name, value in self.request.data.items() if name != FIELD}

    def _checked_fields(self) -> dict[str, Any]:
        serializer = UploadFields(data=self._fields(), partial=True)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def _import_for(viewer: User, import_id: UUID, verb: str) -> Import:
    """The import, if it is the viewer's, or they sent it, or they are staff with the permission.

    Raises:
        NotFound: in all other cases, so that nobody learns whether it exists.
    """
    row = Import.objects.filter(user_id=viewer.pk, id=import_id).first()
    row = row or _of_somebody_else(viewer, import_id, verb)
    if row is None:
        raise NotFound()
    return row


def _of_somebody_else(viewer: User, import_id: UUID, verb: str) -> Import | None:
    may_any = viewer.may_for_others(f"imports.{verb}_import")
    # Only these may have sent one for another user.
    if not (may_any or viewer.is_staff or viewer.is_service):
        return None
    user_id, sender_id = queries.owner_of(import_id) or (0, 0)
    if not (may_any or sender_id == viewer.pk):
        return None
    return Import.objects.filter(user_id=user_id, id=import_id).first()
