"""The search for a person in a form of the staff pages: by user name or id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import User
from accounts.staff.access import as_id

if TYPE_CHECKING:
    UserChoiceField = forms.ModelChoiceField[User]
else:
    UserChoiceField = forms.ModelChoiceField


def label(user: User) -> str:
    """Both by which people are found. A user name may look like somebody else's id."""
    return f"{user.username} ({user.pk})"


def is_search(request: HttpRequest) -> bool:
    """Whether a form's field asks, which it does while somebody types."""
    return request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"


class SearchView(AutocompleteJsonView):
    """Django's, which asks the other model's admin who may see what."""

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        text = label(obj) if isinstance(obj, User) else str(obj)
        return {"id": str(getattr(obj, to_field_name)), "text": text}


class PersonField(UserChoiceField):
    """Picks a user. `relation` is any foreign key to users: Django's view wants one."""

    def __init__(self, relation: Any, site: AdminSite, **kwargs: Any) -> None:
        widget = AutocompleteSelect(relation, site, attrs=kwargs.pop("attrs", None))
        # No names, which would be decrypted for nothing.
        people = User.objects.only("username")
        super().__init__(people, widget=widget, **kwargs)

    def label_from_instance(self, user: User) -> str:
        return label(user)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What the form shows again: Django's widget fails if it is no id."""
        return None if as_id(data or "") is None else data
