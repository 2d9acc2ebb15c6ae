"""The staff site itself: its name, its login, and the change of one's own password."""

from functools import partial
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from structlog.contextvars import bind_contextvars

from accounts.staff.forms import LoginForm, OwnPasswordForm
from accounts.staff.people import SearchView


class StaffSite(AdminSite):
    site_header = site_title = "Fido"
    index_title = "Records"
    site_url = None
    login_form = LoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        if request.user.is_authenticated:
            bind_contextvars(actor=request.user.pk)
        return super().has_permission(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """When throttled, it answers 429 with the form; the API answers with a problem."""
        response = super().login(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            wait = response.context_data["form"].wait_seconds
            if wait is not None:
                response.status_code = 429
                response.headers["Retry-After"] = str(wait)
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=partial(OwnPasswordForm, request=request),
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)  # type: ignore[return-value]

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return SearchView.as_view(admin_site=self)(request)  # type: ignore[return-value]
