"""The staff page for API keys. A new key is on the page that answers its form, and nowhere else."""

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from accounts import keys
from accounts.models import SERVICE_GROUP, ApiKey, User
from accounts.staff.access import SearchedByUserAdmin
from fido.lib.api.scopes import SCOPES
from fido.lib.staff.pages import BigTableAdmin
from fido.lib.values import clock
from fido.lib.values.errors import DomainError, NotFound


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
        help_text="A key never does more than its user may. To write does not include to read.",
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "expires_at")

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= clock.now():
            raise ValidationError("This time is over.", code="in-the-past")
        return expires_at


class ApiKeyAdmin(SearchedByUserAdmin, BigTableAdmin):
    """Staff make keys for themselves; superusers also for service accounts."""

    form = ApiKeyForm
    ordering = ("-id",)  # the id grows with time
    list_display = ("user", "name", "prefix", "allowed", "created_at", "expires_at", "last_used_at")
    list_display_links = ("name",)
    list_select_related = ("user",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.list_display if obj else ApiKeyForm.Meta.fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"user": request.user.pk}

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # Whoever makes a key has the rights of its user.
        whose = Q(pk=request.user.pk)
        if request.user.is_superuser:
            services = User.objects.filter(groups__name=SERVICE_GROUP).values("pk")
            whose |= Q(pk__in=services)
        kwargs["queryset"] = User.objects.filter(whose, is_active=True).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @staticmethod
    def allowed(row: ApiKey) -> str:
        return ", ".join(row.scopes)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            # What the form could not know: another key was made meanwhile, or there are too many.
            errors = refusal.extra.get("errors", [{"detail": refusal.detail}])
            self.message_user(request, errors[0]["detail"], messages.ERROR)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        row, obj.key = keys.make(**form.cleaned_data)
        obj.pk, obj.prefix = row.pk, row.prefix

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        # Not a message after a redirect, which would be stored in between.
        context = self.admin_site.each_context(request)
        context |= {"title": "A new API key", "opts": self.opts, "row": obj, "key": obj.key}
        return TemplateResponse(request, "admin/accounts/apikey/made.html", context)

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        with suppress(NotFound):  # by somebody else, since this page was opened
            keys.revoke(user_id=obj.user_id, key_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for row in queryset:
            self.delete_model(request, row)
