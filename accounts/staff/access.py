"""Who may read personal data on the staff pages, and the log entry for it."""

import operator
import re
from functools import reduce
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import operations
from accounts.models import User
from fido.lib.api.paths import MAX_BIGINT
from fido.lib.staff.pages import AnyModelAdmin


def may_open(request: HttpRequest) -> bool:
    """Whether a record's page shows names, addresses and descriptions in clear."""
    return request.user.has_perm("accounts.view_personal_data")


def log_opening(request: HttpRequest, *, subject_id: int, what: str) -> None:
    """Log that somebody's personal data is opened, or made open."""
    actor: Any = request.user
    operations.log_access(actor=actor, subject_id=subject_id, what=what, route="admin")


def log_search(request: HttpRequest, term: str, what: str) -> None:
    """Log that a list of everybody is searched for a name."""
    actor: Any = request.user
    operations.log_search(actor=actor, term=term, what=what, route="admin")


class LoggedRecordAdmin(AnyModelAdmin):
    """Writes each opening of a record to the access log."""

    def subject_id(self, row: Any) -> int:
        """The user whose personal data the row holds."""
        return int(row.user_id)

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Django calls this only when it is about to show a record, and each time. The page is
        # rendered after the view has returned and its writes are committed: no entry, no page.
        row = kwargs["obj"]
        if row is not None and may_open(request):
            what = f"{self.opts.model_name} {row.pk}"
            log_opening(request, subject_id=self.subject_id(row), what=what)
        return super().render_change_form(request, *args, **kwargs)


class SearchedByUserAdmin(AnyModelAdmin):
    """Finds a user's rows, by the user's id or whole user name."""

    search_fields = ("user",)  # only to get a search box
    search_help_text = "A user's id or whole user name."
    user_fields: ClassVar[tuple[str, ...]] = ("user",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(self.matching(request, term)) if term else queryset), False

    def matching(self, request: HttpRequest, term: str) -> Q:
        users = user_ids(term)
        return reduce(operator.or_, (Q(**{f"{name}__in": users}) for name in self.user_fields))


def user_ids(term: str) -> list[int]:
    """The users with this id or, case-insensitive, this user name."""
    found = User.objects.get_queryset().with_username(term).values_list("pk", flat=True)
    number = as_id(term)
    return [*found] if number is None else [*found, number]


def as_id(term: str) -> int | None:
    """The number, if it could be a user's id."""
    number = int(term) if re.fullmatch("[0-9]{1,19}", term) else None
    return None if number is None or number > MAX_BIGINT else number
