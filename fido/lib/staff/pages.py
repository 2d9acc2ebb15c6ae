"""What the staff pages of every app share: tables of any size, and damaged tokens."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import DataError, ProgrammingError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fido.lib.values import money

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    AnyModelAdmin, AnyPaginator = admin.ModelAdmin, Paginator

MAX_ROWS = 1000
CANNOT_BE_READ = "cannot be read"
# What Django and PostgreSQL raise for filters that someone typed into the URL.
MALFORMED = (
    *(DataError, ProgrammingError, ValueError, TypeError, IndexError, OverflowError),
    DisallowedModelAdminLookup,
)


class BoundedPaginator(AnyPaginator):
    """Pages through the first MAX_ROWS rows of a list, and counts no further.

    Counting a million rows takes longer than showing a hundred of them, and a page found by OFFSET
    costs as much as all the pages before it.
    """

    @cached_property
    def count(self) -> int:
        return min(self._counted, MAX_ROWS)

    @property
    def is_cut_off(self) -> bool:
        return self._counted > MAX_ROWS

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: MAX_ROWS + 1].count()


class BigTableAdmin(AnyModelAdmin):
    """A list whose cost does not grow with the number of rows."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()  # only the list's own order has an index
    change_list_template = "admin/big_table.html"

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Only the page's own filters: Django allows any column, also those that it does not show.

        So a column could be found out letter by letter, with `__startswith`.
        """
        # Django refuses what goes on to another table's columns, as `groups__user__password` would.
        return super().lookup_allowed(lookup, value, request) and any(
            lookup == name or lookup.startswith(f"{name}__") for name in _filtered(self, request)
        )

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            changelist = super().get_changelist_instance(request)
        except MALFORMED as error:
            # An unknown filter, or a value that only PostgreSQL refuses.
            raise IncorrectLookupParameters() from error
        if not (changelist.query or changelist.has_active_filters):
            # The total; otherwise the page offers to show all rows.
            changelist.full_result_count = changelist.result_count
        return changelist


def _filtered(page: AnyModelAdmin, request: HttpRequest) -> Iterator[str]:
    """What the page's filters ask for."""
    for each in page.get_list_filter(request):
        if isinstance(each, str | tuple):
            yield each if isinstance(each, str) else str(each[0])
        else:
            yield str(each.parameter_name)  # type: ignore[union-attr]


class ReadOnlyAdmin(BigTableAdmin):
    """Records that nobody can change here, not even superusers."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CurrencyFilter(admin.SimpleListFilter):
    """Offers all currencies: finding those in the table would read all of it."""

    title = parameter_name = "currency"
    template = "admin/currency_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, code) for code in sorted(money.CURRENCIES)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        self.others = {k: v for k, v in changelist.params.items() if k != self.parameter_name}
        return super().choices(changelist)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        code = self.value()
        return queryset.filter(currency=code) if code in money.CURRENCIES else queryset


def with_presence(rows: QuerySet[Any], *fields: str) -> QuerySet[Any]:
    """Annotate whether each encrypted field has a token, which `unreadable` needs."""
    present: dict[str, Any] = {f"has_{name}": Q(**{f"{name}__isnull": False}) for name in fields}
    annotated: QuerySet[Any] = rows.annotate(**present)
    return annotated


def unreadable(row: Model, field: str) -> bool:
    """Whether the field's token is damaged or its key is gone. For rows `with_presence`."""
    return getattr(row, field) is None and bool(getattr(row, f"has_{field}"))


def secret_cell(
    field: str, mask: Callable[[str | None], str | None] | None = None, description: str = ""
) -> Any:
    """A column or field of a page that shows an encrypted field. For rows `with_presence`."""

    @admin.display(description=description or field.replace("_", " "))
    def cell(self: Any, row: Model) -> str | None:
        value: str | None = getattr(row, field)
        if unreadable(row, field):
            return CANNOT_BE_READ
        return mask(value) if mask else value

    return cell


def money_cell(amount: Decimal, currency: str) -> SafeString:
    """The amount with its currency's decimals, styled so that a column of them lines up."""
    return format_html('<div class="money">{}</div>', money.text(amount, currency))
