"""The page on which staff backtest a rule."""

import time
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from analytics.alerts import backtest
from analytics.alerts.admin import chart
from analytics.alerts.backtest import Question, Result
from analytics.alerts.models import Rule
from analytics.alerts.parameters import InvalidParameters
from analytics.alerts.rules import Kind, parsed
from fido.lib.staff.pages import AnyModelAdmin
from fido.lib.values import clock
from fido.lib.values.clock import Period

PAGE = "admin/alerts/rule/backtest.html"
# The longest acceptable wait for a page; the command has no time limit.
SECONDS = 10.0
DAYS = timedelta(days=30)


class BacktestForm(forms.Form):
    since = forms.DateField(label="First day")
    until = forms.DateField(label="Last day")

    def __init__(self, data: Any, *, rule: Rule) -> None:
        super().__init__(data)
        self._rule = rule
        stored = rule.parameters if isinstance(rule.parameters, dict) else {}
        for name in stored:
            self.fields[name] = forms.CharField(max_length=50, help_text=f"Now {stored[name]}.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if {"since", "until"} <= cleaned.keys() and cleaned["until"] < cleaned["since"]:
            self.add_error("until", "The last day is before the first one.")
        return cleaned

    def kind(self) -> Kind | None:
        """The rule with the parameters that were typed; None, with errors on the fields."""
        values = {k: v for k, v in self.cleaned_data.items() if k not in {"since", "until"}}
        try:
            return parsed(self._rule.kind, values)
        except InvalidParameters as refusal:
            for name, error in refusal.errors.items():
                self.add_error(name if name in self.fields else None, error)
            return None


class BacktestAdmin(AnyModelAdmin):
    change_form_template = "admin/alerts/rule/record.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.backtest))
        ours = path("<int:rule_id>/backtest/", view, name="alerts_rule_backtest")
        return [ours, *super().get_urls()]

    def backtest(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        if not self.has_view_permission(request) or not request.user.has_perm("alerts.view_alert"):
            raise PermissionDenied
        rule = Rule.objects.filter(pk=rule_id).first()
        if rule is None:
            raise Http404
        form = BacktestForm(_initial(rule) | request.GET.dict(), rule=rule)
        result = _result(form, rule)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Backtest of {rule}",
            "rule": rule,
            "form": form,
            "result": result,
            "width": chart.WIDTH,
            "height": chart.HEIGHT,
            "chart": result and chart.drawn(result.days),
            "days": result and sorted(result.days.items()),
        }
        return TemplateResponse(request, PAGE, context, status=200 if result else 400)


def _initial(rule: Rule) -> dict[str, Any]:
    today = clock.now().date()
    stored = rule.parameters if isinstance(rule.parameters, dict) else {}
    return {"since": str(today - DAYS), "until": str(today), **stored}


def _result(form: BacktestForm, rule: Rule) -> Result | None:
    if not form.is_valid() or (kind := form.kind()) is None:
        return None
    first, last = form.cleaned_data["since"], form.cleaned_data["until"]
    period = Period(clock.midnight(first), clock.next_midnight(last))
    ends = time.monotonic() + SECONDS
    return backtest.run(
        Question(rule.pk, kind, rule.in_currency, period),
        backtest.everybody(),
        must_stop=lambda: time.monotonic() > ends,
    )
