"""Admin pages for webhook endpoints and for their deliveries."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.staff.access import SearchedByUserAdmin
from analytics.alerts import deliveries, pauses, queries
from analytics.alerts.models import Delivery, WebhookEndpoint
from fido.lib.outbound import calls
from fido.lib.staff.pages import AnyModelAdmin, ReadOnlyAdmin

WHY_NOT = {
    "malformed-url": "Use an address without user, password or #, such as https://example.org/hook.",
    "not-https": "The address must begin with https://.",
}


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "enabled", "max_alerts")

    def clean_url(self) -> str:
        """The address behind the URL is checked again on each delivery."""
        url = str(self.cleaned_data["url"])
        try:
            calls.target(url, allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK)
        except calls.NotSent as refusal:
            raise ValidationError(WHY_NOT[refusal.code], code=refusal.code) from None
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AnyModelAdmin):
    """An endpoint that has deliveries cannot be deleted: switch it off."""

    form = EndpointForm
    list_display = ("id", "url", "description", "enabled", "next_try", "secrets_in_force")
    actions = ("rotate", "forget_previous")
    readonly_fields = ("failures", "next_try", "shown_secrets")
    fields = (*EndpointForm.Meta.fields, *readonly_fields)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_see = obj is not None and request.user.has_perm("alerts.view_webhook_secret")
        return [name for name in self.fields or () if may_see or name != "shown_secrets"]

    def save_model(
        self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        pauses.end({obj.pk})

    @admin.display(ordering="next_try_at")
    def next_try(self, row: WebhookEndpoint) -> str:
        if row.next_try_at is None:
            return "at once"
        return f"{row.next_try_at:%Y-%m-%d %H:%M:%S} UTC, after a pause"

    @admin.display(description="secrets, the newest first")
    def shown_secrets(self, row: WebhookEndpoint) -> SafeString:
        keys = [key or "cannot be read" for key in (row.secret, row.previous_secret or "") if key]
        return format_html_join("", "<div><code>{}</code></div>", ((key,) for key in keys))

    @admin.display(description="secrets")
    def secrets_in_force(self, row: WebhookEndpoint) -> int:
        return 1 if row.previous_secret is None else 2

    @admin.action(permissions=["change"], description="Add a secret, and sign with both")
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for row in queryset:
            deliveries.rotate(row)
            self.log_change(request, row, "Added a secret.")

    @admin.action(permissions=["change"], description="Remove the older secret")
    def forget_previous(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for row in queryset:
            deliveries.forget_previous(row)
            self.log_change(request, row, "Removed the older secret.")


@admin.register(Delivery)
class DeliveryAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-id",)  # the id grows with time, and has an index
    list_display = ("created_at", "user", "endpoint", "alerts", "status", "attempts", "due_at")
    list_filter = ("status", "endpoint")
    list_select_related = ("user", "endpoint")
    fields = ("id", "alert", *list_display, "gives_up_at", "history")
    actions = ("redeliver",)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alerts.change_delivery")

    @admin.display
    def alerts(self, row: Delivery) -> int:
        return len(row.all_alert_ids)

    @admin.display(description="attempts, the latest first")
    def history(self, row: Delivery) -> SafeString:
        cells = (
            (f"{each.at:%Y-%m-%d %H:%M:%S}", each.status or each.error, each.milliseconds)
            for each in queries.attempts_of(row)
        )
        lines = format_html_join("", "<tr><td>{}<td>{}<td>{}", cells)
        return format_html("<table><tr><th>time (UTC)<th>answer<th>milliseconds{}</table>", lines)

    @admin.action(permissions=["redeliver"], description="Send these again")
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Under the same id, so that a receiver recognises what it already has."""
        rows = list(queryset)
        count = deliveries.redeliver(rows)
        pauses.end({row.endpoint_id for row in rows})
        for row in rows:
            self.log_change(request, row, "Queued to be sent again.")
        self.message_user(request, f"Queued to be sent again: {count}.")
