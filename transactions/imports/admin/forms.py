"""The form with which staff import a file."""

from __future__ import annotations

from typing import cast

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.staff.access import user_ids
from fido.lib.values.errors import DomainError
from transactions.files import columns
from transactions.imports.intake import Intake
from transactions.statements.recognition import STATEMENTS


class UploadForm(forms.Form):
    """The form's fields. The file itself is streamed and never reaches the form."""

    user_id = forms.CharField(
        label="User",
        max_length=254,
        help_text="The id or the whole user name of the user whose transactions they are.",
    )
    file = forms.FileField(
        required=False,
        widget=forms.FileInput(attrs={"required": True}),
        help_text=f"A bank's file ({', '.join(STATEMENTS.values())}), a bank's CSV, or our own"
        f" CSV or NDJSON. {columns.sentence()} Also in gzip, or in a ZIP of one file.",
    )

    def clean_user_id(self) -> User:
        owners = User.objects.filter(pk__in=user_ids(self.cleaned_data["user_id"]))[:2]
        if len(owners) != 1:
            raise ValidationError("There is no such user, or more than one.", code="unknown-user")
        return owners[0]

    def owner(self) -> User:
        """The user. Only for a valid form."""
        return cast(User, self.cleaned_data["user_id"])


class FileOfForm:
    """Takes in a file. Holds back a refusal until the whole form has been read.

    A browser reads no answer before it has sent everything, and we need the other fields.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.max_bytes = intake.max_bytes
        self.refusal: DomainError | None = None

    def feed(self, data: bytes) -> None:
        if self.refusal is None:
            try:
                self._intake.feed(data)
            except DomainError as refusal:
                self.refusal = refusal

    def abandon(self) -> None:
        self._intake.abandon()

    def accepted(self) -> Intake:
        """The file taken in. Raises the refusal, if there is one."""
        if self.refusal is not None:
            raise self.refusal
        return self._intake
