"""The page between an upload and its import: what would be recorded, and the mapping to adjust.

The file waits in the spool meanwhile, for at most an hour; what belongs to it travels in the form,
signed for whoever uploaded it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core import signing
from django.forms import BaseFormSet, formset_factory

from accounts.models import User
from fido.lib.values import money
from fido.lib.values.errors import DomainError, Kind
from transactions.imports import foreign, spool
from transactions.imports.intake import KEPT_BYTES, Intake
from transactions.imports.layout import CSV, Layout
from transactions.mappings import guess
from transactions.mappings.mapping import (
    LONGEST,
    ColumnMapping,
    InvalidMapping,
    Role,
    parsed,
)

SALT = "fido.imports.review"
# Well before the sweep takes the file for abandoned.
MAX_AGE_SECONDS = 30 * 60


class ReviewOver(DomainError):
    code, kind = "review-over", Kind.INVALID
    title = "The file is gone: it waits for half an hour. Upload it again."


@dataclass(frozen=True)
class Staged:
    """A file in the spool. `layout` is as it was stored: without a mapping."""

    import_id: UUID
    owner_id: int
    size_bytes: int
    layout: Layout

    @classmethod
    def of(cls, intake: Intake, owner: User) -> Staged:
        """Raises what `Intake.stored` does."""
        layout = intake.stored()
        intake.keep()
        return cls(intake.import_id, owner.pk, intake.size_bytes, layout)

    def sealed(self, staff: User) -> str:
        fields = asdict(self) | {"import_id": str(self.import_id), "staff": staff.pk}
        return signing.dumps(fields, salt=SALT, compress=True)

    @classmethod
    def opened(cls, token: str, staff: User) -> Staged:
        """Raises ReviewOver: it is old, somebody else's, or no token of ours."""
        try:
            fields = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
        except signing.BadSignature:
            raise ReviewOver() from None
        if fields.pop("staff") != staff.pk:
            raise ReviewOver()
        layout = Layout(**fields.pop("layout"))
        return cls(UUID(fields.pop("import_id")), layout=layout, **fields)

    @property
    def owner(self) -> User:
        return User.objects.get(pk=self.owner_id)

    @property
    def has_mapping(self) -> bool:
        """Whether it is a CSV whose columns need one."""
        return self.layout.form == CSV and not self.layout.columns

    def head(self) -> bytes:
        """Raises ReviewOver."""
        try:
            with spool.opened_bytes(self.import_id) as file:
                return file.read(KEPT_BYTES)
        except spool.SpoolLost:
            raise ReviewOver() from None

    def decided(self, mapping: ColumnMapping | None, known: Iterable[ColumnMapping]) -> Layout:
        """Raises UploadRefused, ReviewOver."""
        return foreign.decided(self.layout, self.head(), mapping, known)


class ColumnForm(forms.Form):
    """What one column is."""

    name = forms.CharField(widget=forms.HiddenInput, max_length=LONGEST, strip=False)
    role = forms.ChoiceField(choices=[(role.value, role.value.replace("_", " ")) for role in Role])
    detail = forms.CharField(required=False, max_length=LONGEST)
    negate = forms.BooleanField(required=False)

    def stated(self) -> tuple[str, dict[str, Any]]:
        """The column as in a mapping's JSON."""
        given = self.cleaned_data
        column = {"role": given["role"], "negate": given["negate"] or None}
        if given["role"] == Role.DATE:
            column["format"] = given["detail"] or None
        elif given["detail"]:
            pairs = (part.partition("=") for part in given["detail"].split(","))
            column["values"] = {word.strip(): meaning.strip() for word, _, meaning in pairs}
        return given["name"], column


ColumnForms = formset_factory(ColumnForm, extra=0, max_num=200, absolute_max=200)


class FileForm(forms.Form):
    """What holds for the whole file."""

    decimal = forms.ChoiceField(
        required=False, choices=[("", "as found"), (".", "1234.50"), (",", "1234,50")]
    )
    encoding = forms.CharField(
        required=False, max_length=LONGEST, widget=forms.TextInput({"placeholder": "as found"})
    )
    transaction_type = forms.ChoiceField(
        label="All rows are",
        required=False,
        choices=[("", "as their amounts say"), ("credit", "credits"), ("debit", "debits")],
    )
    currency = forms.ChoiceField(
        label="Currency of all rows",
        required=False,
        choices=[
            ("", "as the file says, or the user's"),
            *((code, code) for code in sorted(money.CURRENCIES)),
        ],
    )
    wallet = forms.CharField(label="Wallet of all rows", required=False, max_length=LONGEST)

    def stated(self) -> dict[str, Any]:
        given = {name: value for name, value in self.cleaned_data.items() if value}
        own = {name: given.pop(name) for name in ("decimal", "encoding") if name in given}
        return own | {"constants": given}


@dataclass(frozen=True)
class MappingForms:
    """The mapping as a form."""

    columns: BaseFormSet[ColumnForm]
    file: FileForm

    @classmethod
    def showing(cls, mapping: dict[str, Any]) -> MappingForms:
        file = {name: mapping.get(name) for name in ("decimal", "encoding")}
        file |= mapping.get("constants", {})
        columns = [
            {
                "name": name,
                "role": column["role"],
                "detail": column.get("format") or _words(column.get("values", {})),
                "negate": column.get("negate", False),
            }
            for name, column in mapping["columns"].items()
        ]
        return cls(ColumnForms(initial=columns, prefix="columns"), FileForm(initial=file))

    @classmethod
    def sent(cls, data: Any) -> MappingForms:
        return cls(ColumnForms(data, prefix="columns"), FileForm(data))

    def mapping(self) -> ColumnMapping:
        """Raises InvalidMapping."""
        if not (self.columns.is_valid() and self.file.is_valid()):
            raise InvalidMapping("A field of the mapping is not valid.")
        return parsed(
            {"columns": dict(form.stated() for form in self.columns), **self.file.stated()}
        )


def draft(staged: Staged) -> dict[str, Any]:
    """The beginning of a mapping, for a file that does not tell enough."""
    head = staged.head().decode(staged.layout.encoding, errors="replace").removeprefix("\ufeff")
    return {"columns": {name: {"role": role} for name, role in guess.draft(head).items()}}


def in_order(layout: Layout) -> dict[str, Any]:
    """The layout's mapping, with its columns as they are in the file."""
    mapping = dict(layout.mapping or {"columns": {}})
    places = {name: place for place, name in reversed(list(enumerate(layout.columns)))}
    named = sorted(mapping["columns"].items(), key=lambda each: places.get(each[0], len(places)))
    mapping["columns"] = {name: {"role": "ignore"} for name in layout.columns if name} | dict(named)
    mapping["columns"] = {name: mapping["columns"][name] for name in layout.columns if name}
    return mapping


def _words(values: dict[str, str]) -> str:
    return ", ".join(f"{word}={meaning}" for word, meaning in values.items())
