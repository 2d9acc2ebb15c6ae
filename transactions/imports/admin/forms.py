"""The form with which staff import a file."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.staff.access import user_ids
from accounts.staff.people import PersonField
from fido.lib.values.errors import DomainError
from transactions.files import columns
from transactions.imports.intake import Intake
from transactions.imports.models import Import
from transactions.statements.recognition import STATEMENTS

NOT_NEEDED = ValidationError("Each row names its user: leave this out.", code="not-needed")
UNKNOWN_USER = ValidationError("There is no such user, or more than one.", code="unknown-user")


class UploadForm(forms.Form):
    """The form's fields. The file itself is streamed and never reaches the form.

    `picked` is there only with a `search_on`: the site where the user may look for people. A script
    puts it in the place of `user_id`. It is a field of its own because what is typed may be one
    user's name and another one's id.
    """

    user_id = forms.CharField(
        label="User",
        required=False,
        max_length=254,
        help_text="The user whose transactions they are, by id or user name.",
    )
    by_user = forms.BooleanField(
        label="Of many people",
        required=False,
        help_text="Each row names its user in a column user_id. Leave the user above out.",
    )
    file = forms.FileField(
        required=False,
        widget=forms.FileInput(attrs={"required": True}),
        help_text=f"A bank's file ({', '.join(STATEMENTS.values())}), a bank's CSV, or our own"
        f" CSV or NDJSON. {columns.sentence()} Also in gzip, or in a ZIP of one file.",
    )

    def __init__(self, *args: Any, search_on: AdminSite | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if search_on:
            self.fields["picked"] = PersonField(
                Import._meta.get_field("user"),
                search_on,
                required=False,
                attrs={"id": "id_user_id"},
                error_messages={"invalid_choice": UNKNOWN_USER.message},
            )

    def clean_user_id(self) -> User | None:
        if not (term := self.cleaned_data["user_id"]):
            return None
        owners = User.objects.filter(pk__in=user_ids(term))[:2]
        if len(owners) != 1:
            raise UNKNOWN_USER
        return owners[0]

    def clean(self) -> None:
        if self.errors:
            return
        if self.cleaned_data["by_user"] and self._given():
            self.add_error("user_id", NOT_NEEDED)
        if not self.cleaned_data["by_user"] and not self._given():
            self.add_error("user_id", ValidationError("This field is required.", code="required"))

    def owner(self, staff: User) -> User:
        """Whose the import will be. Only for a valid form."""
        return staff if self.cleaned_data["by_user"] else cast(User, self._given())

    def _given(self) -> Any:
        return self.cleaned_data.get("picked") or self.cleaned_data["user_id"]


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
