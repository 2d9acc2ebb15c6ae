"""Admin pages for daily totals, as stored: folded and pending."""

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.staff.access import SearchedByUserAdmin
from analytics.models import DailyTotals
from fido.lib.staff.pages import CurrencyFilter, ReadOnlyAdmin, money_cell


@admin.register(DailyTotals)
class DailyTotalsAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    # The order of an index, backwards: each user's latest days first.
    ordering = ("-user_id", "-day", "-currency", "-id")
    list_display = (
        "day",
        "user",
        "currency",
        "count",
        "signed_credit",
        "signed_debit",
        "pending",
    )
    fields = ("id", *list_display)
    list_filter = ("pending", CurrencyFilter)
    list_select_related = ("user",)

    @admin.display(description="credit")
    def signed_credit(self, row: DailyTotals) -> SafeString:
        return money_cell(row.credit, row.currency)

    @admin.display(description="debit")
    def signed_debit(self, row: DailyTotals) -> SafeString:
        return money_cell(row.debit, row.currency)
