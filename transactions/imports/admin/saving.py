"""Mappings under a name, on the page of a file: one is chosen there, or saved for its owner."""

from __future__ import annotations

from enum import Enum
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from fido.lib.values.errors import InvalidInput, PreconditionFailed
from transactions.imports import saved as mappings
from transactions.imports.layout import Layout
from transactions.imports.models import MAX_MAPPING_NAME, SavedMapping
from transactions.imports.saved import NAME, NAME_RULE, TooManyMappings
from transactions.mappings.mapping import ColumnMapping, fingerprint_of
from transactions.mappings.shipped import shipped


class Outcome(Enum):
    SAVED = "Saved"
    REPLACED = "Replaced"
    UNCHANGED = "Already saved"


class ChoiceForm(forms.Form):
    """Chooses one of the owner's mappings, or of those that come with Fido."""

    use_required_attribute = False  # the page has other buttons
    by = forms.ChoiceField(label="Read the file by")
    recognised: str | None = None
    is_guessed = False

    def __init__(self, owner: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = mappings.own(owner.pk)
        others = {name: each for name, each in shipped().items() if name not in own}
        self._own, self._known = own, others | own
        field: Any = self.fields["by"]
        field.choices = [
            ("", "a saved mapping …"),
            (f"of {owner.username}", [(name, name) for name in sorted(own)]),
            ("that come with Fido", [(name, name) for name in others]),
        ]

    @classmethod
    def of(cls, owner: User, layout: Layout) -> ChoiceForm:
        """The form that says by which one the file was read, because it has exactly its columns."""
        form = cls(owner)
        form.is_guessed = layout.is_guessed
        columns = fingerprint_of(filter(None, layout.columns))
        for name, each in form._known.items():
            if each.header and each.fingerprint == columns and not layout.is_guessed:
                form.initial["by"] = form.recognised = name
        return form

    @property
    def own_name(self) -> str:
        """The chosen one's name, if it is the owner's: where a change of it would be saved."""
        name = self["by"].value()
        return name if name in self._own else ""

    def mapping(self) -> ColumnMapping:
        """The chosen one. Only for a valid form."""
        return self._known[self.cleaned_data["by"]]


class SaveForm(forms.Form):
    """Saves a mapping for the file's owner. `offer` has the name already, and may be replaced."""

    use_required_attribute = False
    prefix = "save"
    name = forms.CharField(label="Save it as", max_length=MAX_MAPPING_NAME, help_text=NAME_RULE)
    # The mapping that the page has offered to replace, and its version.
    replaces = forms.CharField(required=False)
    offer: SavedMapping | None = None

    @classmethod
    def naming(cls, name: str) -> SaveForm:
        """The form with a name, before anybody has asked to save."""
        return cls(initial={"name": name})

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not NAME.fullmatch(name):
            raise ValidationError(NAME_RULE, code="invalid")
        return name

    def saved(
        self, owner: User, mapping: ColumnMapping, *, replacing: bool
    ) -> tuple[SavedMapping, Outcome] | None:
        """What became of the mapping; None: the form has errors now."""
        if not self.is_valid():
            return None
        try:
            return self._saved(owner.pk, mapping, replacing)
        except TooManyMappings as refusal:
            self.add_error("name", refusal.detail)
        except (InvalidInput, PreconditionFailed):
            self.offer = self._of_this_name(owner.pk)
            self.add_error("name", f"{owner.username} has a mapping of this name.")
        return None

    def _saved(
        self, owner_id: int, mapping: ColumnMapping, replacing: bool
    ) -> tuple[SavedMapping, Outcome]:
        row = self._of_this_name(owner_id)
        if row is None:
            name = self.cleaned_data["name"]
            return mappings.save(user_id=owner_id, name=name, mapping=mapping), Outcome.SAVED
        if row.mapping == mapping.as_json():  # a second click
            return row, Outcome.UNCHANGED
        # Only what the page has shown: somebody may have saved another one meanwhile.
        if not replacing or self.cleaned_data["replaces"] != _stamp(row):
            raise PreconditionFailed()
        replaced = mappings.replace(row=row, name=row.name, mapping=mapping, if_unchanged=True)
        return replaced, Outcome.REPLACED

    def _of_this_name(self, owner_id: int) -> SavedMapping | None:
        return SavedMapping.objects.filter(user_id=owner_id, name=self.cleaned_data["name"]).first()

    @property
    def stamp(self) -> str:
        """What `replaces` has to be for the offer to be taken up."""
        return _stamp(self.offer) if self.offer else ""


def _stamp(row: SavedMapping) -> str:
    return f"{row.pk}:{row.version}"
