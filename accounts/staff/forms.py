"""Forms of the staff pages about accounts. They store data through operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts import operations, queries
from accounts.api import login_throttle
from accounts.limits import MAX_NAME_LENGTH
from accounts.models import User
from fido.lib.staff.pages import unreadable
from fido.lib.values.errors import TooManyRequests

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
    UserCreationForm = auth_forms.BaseUserCreationForm[User]
    PasswordOfOtherForm = auth_forms.AdminPasswordChangeForm[User]
else:
    UserForm = forms.ModelForm
    UserCreationForm = auth_forms.BaseUserCreationForm
    PasswordOfOtherForm = auth_forms.AdminPasswordChangeForm

MAX_EMAIL_LENGTH = 254


@contextmanager
def counted(request: HttpRequest, name: str) -> Iterator[None]:
    """Like login_throttle's, but raises a form error; `params["wait"]` is in seconds."""
    try:
        with login_throttle.counted(request, name):
            yield
    except TooManyRequests as refusal:
        message = "Too many failed logins. Try again in %(wait)d seconds."
        raise ValidationError(message, code="throttled", params={"wait": refusal.wait}) from None


class LoginForm(AdminAuthenticationForm):
    """By user name or e-mail address; failures count together with those of the API's login."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name or e-mail address"
        self.fields["username"].widget.attrs["maxlength"] = MAX_EMAIL_LENGTH

    @property
    def wait_seconds(self) -> int | None:
        """Seconds for which further attempts are refused."""
        for error in self.non_field_errors().as_data():
            if error.code == "throttled" and error.params:
                return int(error.params["wait"])
        return None

    def clean(self) -> dict[str, Any]:
        name, password = (self.cleaned_data.get(field) for field in ("username", "password"))
        if not name or not password or self.request is None:
            return super().clean()
        with counted(self.request, name):
            return super().clean()


class StoredByOperation:
    """Replaces the form's own `user.save()`.

    That writes all columns, so a name that cannot be read at the moment would be lost; and it
    leaves the user's sessions alive.
    """

    cleaned_data: dict[str, Any]

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107 - the name of a field
        commit: bool = True,
    ) -> User:
        operations.set_password(user=user, password=self.cleaned_data[password_field_name])
        return user


class OwnPasswordForm(StoredByOperation, AdminPasswordChangeForm):
    """Throttled: someone who finds a logged-in browser must not try passwords without limit."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        with counted(self.request, self.user.get_username()):
            return super().clean_old_password()


class PasswordForm(StoredByOperation, PasswordOfOtherForm):
    """Sets another user's password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Use is_active to lock a user out.
        self.fields.pop("usable_password", None)


class UserAddForm(UserCreationForm):
    email = forms.EmailField(label="E-mail address", max_length=MAX_EMAIL_LENGTH)
    full_name = forms.CharField(max_length=MAX_NAME_LENGTH, required=False, empty_value=None)

    class Meta:
        model = User
        fields = ("username", "email", "full_name")

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if queries.username_taken(username):
            raise ValidationError("This user name is taken.", code="taken")
        return username

    def clean_email(self) -> str:
        return _free(self.cleaned_data["email"], None)

    def save(self, commit: bool = True) -> User:
        # operations.register hashes the password and stores the user.
        user: User = forms.ModelForm.save(self, commit=False)
        return user


class UserChangeForm(UserForm):
    """Declares no field: a declared one is in every form, even if a page leaves it out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"email", "full_name"} & self.fields.keys():
            if unreadable(self.instance, name):
                self.fields[name].help_text = "The stored value cannot be read. Empty keeps it."
        permissions: Any = self.fields.get("user_permissions")
        if permissions:
            # Each permission's name includes its model.
            permissions.queryset = permissions.queryset.select_related("content_type")

    def clean_email(self) -> str | None:
        email: str | None = self.cleaned_data["email"]
        if email:
            return _free(email, self.instance.pk)
        if self.initial.get("email"):
            raise ValidationError("An address can be replaced, not removed.", code="required")
        return None


def _free(email: str, except_user_id: int | None) -> str:
    if queries.email_taken(email, except_user_id=except_user_id):
        raise ValidationError("This e-mail address is taken.", code="taken")
    return email
