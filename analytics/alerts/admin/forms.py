"""The form in which staff edit a rule; the rule's kind validates the parameters."""

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from analytics.alerts.models import Rule
from analytics.alerts.parameters import InvalidParameters, declared, defaults, read, written
from analytics.alerts.rules import Kind, parsed
from fido.lib.values.strict_json import read_json

if TYPE_CHECKING:
    RuleModelForm = forms.ModelForm[Rule]
else:
    RuleModelForm = forms.ModelForm


class ExactDecoder(json.JSONDecoder):
    """100.10 in a form becomes exactly that amount, never a float."""

    def decode(self, s: str, *args: Any) -> Any:
        try:
            return read_json(s)
        except (ValueError, RecursionError, ArithmeticError) as error:
            # The one that a form's field takes for a refusal.
            raise json.JSONDecodeError(str(error), s, 0) from None


class RuleForm(RuleModelForm):
    kind = forms.ChoiceField(choices=Rule.kinds)
    parameters = forms.JSONField(
        required=False,
        decoder=ExactDecoder,
        encoder=DjangoJSONEncoder,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
    )

    class Meta:
        model = Rule
        fields = ("code", "kind", "parameters", "currency", "enabled", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "parameters" in self.fields:
            self.fields["parameters"].help_text = _explained()

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        """All parameters of the kind, as stored; missing ones get their default."""
        cleaned: dict[str, Any] = super().clean() or {}
        if {"kind", "parameters"} <= cleaned.keys():
            given = cleaned["parameters"]
            try:
                rule = parsed(cleaned["kind"], {} if given is None else given)
                cleaned["parameters"] = written(rule)
            except InvalidParameters as refusal:
                errors = [f"{name}: {error}" for name, error in refusal.errors.items()]
                self.add_error("parameters", ValidationError(errors))
        return cleaned


def _explained() -> SafeString:
    lines = [
        (
            name,
            (cls.__doc__ or "").partition("\n")[0],
            ", ".join(f"{each}: {kind.meaning}" for each, kind in declared(cls).items()),
            json.dumps(defaults(cls)),
        )
        for name, cls in Kind.known.items()
    ]
    return format_html(
        "A JSON object. {}",
        format_html_join("", "<br><strong>{}</strong>: {} {}. By default {}", lines),
    )


def problem_of(row: Rule) -> str:
    """What is wrong with the stored rule; empty if nothing is."""
    try:
        cls = Kind.known[row.kind]
        read(cls, row.parameters)
    except KeyError:
        return f"There is no kind {row.kind!r}."
    except InvalidParameters as error:
        return str(error)
    return ""
