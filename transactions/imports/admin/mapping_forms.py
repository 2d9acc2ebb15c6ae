"""A mapping as forms: one for each column, and one for what holds for the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory

from fido.lib.values import money
from transactions.mappings.mapping import (
    CONSTANTS,
    LONGEST,
    MAX_SKIPPED_LINES,
    SEPARATORS,
    ColumnMapping,
    InvalidMapping,
    Role,
    faults_of,
    is_encoding,
    parsed,
)

# A form cannot tell an empty text from none.
THOUSANDS = {"none": "", "point": ".", "comma": ",", "space": " ", "apostrophe": "'"}


class ColumnForm(forms.Form):
    """What one column is."""

    name = forms.CharField(widget=forms.HiddenInput, max_length=LONGEST, strip=False)
    role = forms.ChoiceField(choices=[(role.value, role.value.replace("_", " ")) for role in Role])
    detail = forms.CharField(required=False, max_length=LONGEST)
    negate = forms.BooleanField(required=False)

    def clean(self) -> None:
        if "role" in self.cleaned_data and "detail" in self.cleaned_data:
            for fault in faults_of(self._column()):
                self.add_error("detail", fault[0].upper() + fault[1:])

    def stated(self) -> tuple[str, dict[str, Any]]:
        """The column as in a mapping's JSON."""
        return self.cleaned_data["name"], self._column()

    def _column(self) -> dict[str, Any]:
        given = self.cleaned_data
        column = {"role": given["role"], "negate": given["negate"] or None}
        if given["role"] == Role.DATE:
            column["format"] = given["detail"] or None
        elif given["detail"] and given["role"] != Role.IGNORE:  # what it was before is no fault
            pairs = (part.partition("=") for part in given["detail"].split(","))
            column["values"] = {word.strip(): meaning.strip() for word, _, meaning in pairs}
        return column


ColumnForms = formset_factory(ColumnForm, extra=0, max_num=200, absolute_max=200)


class FileForm(forms.Form):
    """What holds for the whole file. Hidden: how a file without a header is laid out."""

    decimal = forms.ChoiceField(
        label="Amounts are like",
        required=False,
        choices=[("", "as found"), (".", "1234.50"), (",", "1234,50")],
    )
    thousands = forms.ChoiceField(
        label="Between thousands",
        required=False,
        choices=[
            ("", "any usual sign"),
            ("none", "nothing: refuse 1.234 and 1,234"),
            *((name, f"1{THOUSANDS[name]}234") for name in THOUSANDS if name != "none"),
        ],
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
    headless = forms.BooleanField(required=False, widget=forms.HiddenInput)
    delimiter = forms.ChoiceField(
        required=False,
        widget=forms.HiddenInput,
        choices=[("", ""), *zip(SEPARATORS, SEPARATORS, strict=True)],
    )
    skip_lines = forms.IntegerField(
        required=False, widget=forms.HiddenInput, min_value=0, max_value=MAX_SKIPPED_LINES
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in CONSTANTS:
            text = forms.CharField(
                label=f"{name.capitalize()} of all rows", required=False, max_length=LONGEST
            )
            self.fields.setdefault(name, text)

    @classmethod
    def showing(cls, mapping: dict[str, Any]) -> FileForm:
        signs = {sign: name for name, sign in THOUSANDS.items()}
        own = {name: mapping.get(name) for name in ("decimal", "encoding", "delimiter")}
        own["thousands"] = signs.get(mapping["thousands"]) if "thousands" in mapping else None
        own["skip_lines"] = mapping.get("skip_lines")
        own["headless"] = not mapping.get("header", True)
        return cls(initial=own | mapping.get("constants", {}))

    def clean_encoding(self) -> str:
        name: str = self.cleaned_data["encoding"]
        if name and not is_encoding(name):
            raise ValidationError("No known one, such as utf-8.", code="unknown-encoding")
        return name

    def stated(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "decimal": given["decimal"] or None,
            "thousands": THOUSANDS.get(given["thousands"]),
            "encoding": given["encoding"] or None,
            "header": not given["headless"],
            "delimiter": given["delimiter"] or None,
            "skip_lines": given["skip_lines"],
            "constants": {name: given[name] for name in CONSTANTS if given[name]},
        }


@dataclass(frozen=True)
class MappingForms:
    """The mapping as a form."""

    columns: BaseFormSet[ColumnForm]
    file: FileForm

    @classmethod
    def showing(cls, mapping: dict[str, Any]) -> MappingForms:
        columns = [
            {
                "name": name,
                "role": column["role"],
                "detail": column.get("format") or _words(column.get("values", {})),
                "negate": column.get("negate", False),
            }
            for name, column in mapping["columns"].items()
        ]
        return cls(ColumnForms(initial=columns, prefix="columns"), FileForm.showing(mapping))

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


def _words(values: dict[str, str]) -> str:
    return ", ".join(f"{word}={meaning}" for word, meaning in values.items())
