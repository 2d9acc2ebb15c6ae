"""Admin pages for users, their rights and sessions, and the access log."""

from datetime import date
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminEmailInputWidget, AdminTextInputWidget
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.forms import EmailField
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import operations
from accounts.limits import MAX_NAME_LENGTH
from accounts.models import SERVICE_GROUP, AccessLogEntry, ApiKey, LoginSession, User
from accounts.staff.access import (
    LoggedRecordAdmin,
    SearchedByUserAdmin,
    as_id,
    log_opening,
    log_search,
    may_open,
)
from accounts.staff.forms import (
    MAX_EMAIL_LENGTH,
    PasswordForm,
    UserAddForm,
    UserChangeForm,
)
from accounts.staff.keys import ApiKeyAdmin
from accounts.staff.people import is_search
from fido.lib.staff.pages import BigTableAdmin, ReadOnlyAdmin, secret_cell, with_presence
from fido.lib.values.crypto.fields import matching
from fido.lib.values.crypto.masking import masked_email, masked_name
from fido.lib.values.errors import InvalidInput

PROFILE = ("email", "full_name", "currency")
RIGHTS = ("is_staff", "is_superuser")


@admin.register(User)
class UserAdmin(LoggedRecordAdmin, BigTableAdmin, auth_admin.UserAdmin):  # type: ignore[type-arg]
    """Lists are masked; with the permission to open personal data, a record is shown in clear."""

    form = UserChangeForm
    add_form = UserAddForm
    change_password_form = PasswordForm
    ordering = ("id",)
    list_display = (
        "username",
        "masked_full_name",
        "masked_email",
        "currency",
        "is_active",
        "is_staff",
        "joined",
    )
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("username",)  # only to get a search box
    search_help_text = (
        "The beginning of a user name, an id, or a whole name or e-mail address, in any case."
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "full_name", "password1", "password2")}),
    )
    always_read_only: ClassVar[tuple[str, ...]] = (
        "id",
        "username",
        "new_password",
        "clear_full_name",
        "clear_email",
        "masked_full_name",
        "masked_email",
        "last_login",
        "date_joined",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return with_presence(super().get_queryset(request), "full_name", "email")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        term = search_term.strip()
        if term:
            queryset = queryset.alias(lowered=Lower("username")).filter(_found_by(request, term))
        return queryset.only("username") if is_search(request) else queryset, False

    # --- permissions ---

    def subject_id(self, row: User) -> int:
        return row.pk

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only superusers may change users who have rights.

        Anyone else could take over their rights by setting their password.
        """
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or _is_superuser(request) or not _has_rights(obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        may_change = self.has_change_permission(request, obj)
        rights = (*RIGHTS, "groups", "user_permissions")
        password = ("new_password",) if may_change and may_open(request) else ()
        return (
            (None, {"fields": ("id", "username", *password)}),
            ("Personal data", {"fields": (*_names(request, may_change=may_change), "currency")}),
            (
                "Access",
                {"fields": ("is_active", *(rights if _is_superuser(request) else ("is_staff",)))},
            ),
            ("Dates", {"fields": ("last_login", "date_joined")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return ()
        return self.always_read_only + (() if _is_superuser(request) else RIGHTS)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - the name by which Django passes it
        form_url: str = "",
    ) -> Any:
        """Whoever sets a password can log in with it, and read. So it is logged like that."""
        if not may_open(request):
            raise PermissionDenied
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if isinstance(response, HttpResponseRedirect):
                log_opening(request, subject_id=int(id), what="password set")
        return response

    # --- display ---

    masked_full_name = secret_cell("full_name", masked_name)
    clear_full_name = secret_cell("full_name")
    masked_email = secret_cell("email", masked_email, "e-mail address")
    clear_email = secret_cell("email", description="e-mail address")

    @admin.display(description="joined")
    def joined(self, user: User) -> date:
        return user.date_joined.date()

    @admin.display(description="password")
    def new_password(self, user: User) -> SafeString:
        return format_html('<a href="{}">Set a new one</a>', "../password/")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "email":
            return db_field.formfield(
                form_class=EmailField, max_length=MAX_EMAIL_LENGTH, widget=AdminEmailInputWidget
            )
        if db_field.name == "full_name":
            return db_field.formfield(
                max_length=MAX_NAME_LENGTH, widget=AdminTextInputWidget, empty_value=None
            )
        if db_field.name == "currency":
            # Its default is a function. Without this, the browser would supply the old value.
            kwargs["show_hidden_initial"] = False
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    # --- writing ---

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except InvalidInput as refusal:
            # Another writer took the name or the address after the form had found it free.
            self.message_user(request, refusal.extra["errors"][0]["detail"], messages.ERROR)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            _save_changes(obj, {name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.pk = operations.register(
                username=form.cleaned_data["username"],
                email=form.cleaned_data["email"],
                full_name=form.cleaned_data["full_name"],
                password=form.cleaned_data["password1"],
            ).pk


def _save_changes(user: User, changes: dict[str, Any]) -> None:
    """Write only the changed columns; Django's admin saves groups and permissions."""
    profile = {name: changes[name] for name in PROFILE if name in changes}
    operations.update_profile(user=user, changes=profile)
    if "is_active" in changes:
        operations.set_active(user=user, active=changes["is_active"])
    if rights := {name: changes[name] for name in RIGHTS if name in changes}:
        operations.set_rights(user=user, rights=rights)


def _found_by(request: HttpRequest, term: str) -> Q:
    found = Q(lowered__startswith=term.lower())
    # Finding a name or an address reveals as much as reading it. The search of a form asks at each
    # letter and needs neither.
    if may_open(request) and not is_search(request):
        log_search(request, term, "search of users by name or address")
        found |= matching(User, "email", term) | matching(User, "full_name", term)
    number = as_id(term)
    return found if number is None else found | Q(pk=number)


def _names(request: HttpRequest, *, may_change: bool) -> tuple[str, ...]:
    if not may_open(request):
        return ("masked_full_name", "masked_email")
    return ("full_name", "email") if may_change else ("clear_full_name", "clear_email")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def _has_rights(user: User) -> bool:
    return user.is_staff or user.is_superuser or user.groups.exists()


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(auth_admin.GroupAdmin):
    """Only superusers change groups: otherwise a member could give themselves any right."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        # Service accounts are the members of the group with this name.
        return _is_superuser(request) and (obj is None or obj.name != SERVICE_GROUP)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        return ("name",) if obj and obj.name == SERVICE_GROUP else ()


admin.site.register(ApiKey, ApiKeyAdmin)


@admin.register(LoginSession)
class LoginSessionAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-id",)  # the id grows with time, and has an index
    list_display = ("created_at", "user", "expires_at")
    list_select_related = ("user",)
    fields = ("id", "user", "created_at", "expires_at")
    actions = ("end",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_loginsession")

    @admin.action(permissions=["end"], description="Log out the users of these everywhere")
    def end(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        # All sessions of the user, because access tokens carry no session to end separately.
        users = {session.user for session in queryset.select_related("user")}
        for user in users:
            operations.end_sessions(user=user)
            self.log_change(request, user, "Logged out everywhere.")
        self.message_user(request, f"Logged out: {len(users)}.")


@admin.register(AccessLogEntry)
class AccessLogEntryAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-id",)  # the id grows with time, and has an index
    list_display = ("at", "actor", "subject", "what", "route")
    list_select_related = ("actor", "subject")
    list_filter = ("route",)
    user_fields = ("actor", "subject")
    search_help_text = "Id or whole user name of the person who opened the data, or of its owner."
    fields = (*list_display, "details", "address", "request_id")
