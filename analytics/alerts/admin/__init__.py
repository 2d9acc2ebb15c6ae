"""Admin pages for rules, which staff edit, and for the alerts that they raised."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.staff.access import SearchedByUserAdmin
from analytics.alerts.admin.backtest import BacktestAdmin
from analytics.alerts.admin.forms import RuleForm, problem_of
from analytics.alerts.admin.webhooks import DeliveryAdmin, WebhookEndpointAdmin
from analytics.alerts.models import Alert, Rule
from fido.lib.staff.pages import ReadOnlyAdmin

# Importing the modules registers them.
__all__ = ["AlertAdmin", "DeliveryAdmin", "RuleAdmin", "WebhookEndpointAdmin"]


@admin.register(Rule)
class RuleAdmin(BacktestAdmin):
    """A rule that has raised alerts cannot be deleted: switch it off."""

    form = RuleForm
    list_display = ("code", "kind", "shown_parameters", "in_currency", "enabled", "problem")
    list_filter = ("enabled",)

    @admin.display(description="parameters")
    def shown_parameters(self, row: Rule) -> str:
        if not isinstance(row.parameters, dict):
            return str(row.parameters)
        return ", ".join(f"{name} {value}" for name, value in row.parameters.items())

    @admin.display(description="problem")
    def problem(self, row: Rule) -> SafeString | str:
        """A damaged rule is skipped, so it does not block recording."""
        return format_html("<strong>{}</strong>", found) if (found := problem_of(row)) else ""


class CodeFilter(admin.SimpleListFilter):
    """Offers the codes of the rules: finding those of the alerts would read all of them."""

    title = parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = Rule.objects.order_by("code").values_list("code", flat=True).distinct()
        return [(str(code), str(code)) for code in codes]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        code = self.value() or ""
        return queryset.filter(code=int(code)) if code.isdecimal() else queryset


@admin.register(Alert)
class AlertAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-time", "-id")
    list_display = ("at", "user", "code", "rule", "transaction_id")
    fields = ("id", *list_display, "created_at")
    list_filter = (CodeFilter, "time")
    list_select_related = ("user", "rule")

    @admin.display(description="time (UTC)")
    def at(self, row: Alert) -> str:
        return f"{row.time:%Y-%m-%d %H:%M:%S}"
