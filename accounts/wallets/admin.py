"""Admin pages for wallets and their balances, read-only."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.staff.access import SearchedByUserAdmin
from accounts.wallets.models import Balance, Wallet
from fido.lib.staff.pages import CurrencyFilter, ReadOnlyAdmin, money_cell
from fido.lib.values import money


@admin.register(Wallet)
class WalletAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    # The order of an index, backwards: each user's latest first.
    ordering = ("-user_id", "-id")
    list_display = ("name", "user", "created_at", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    fields = ("id", "user", "name", "held", "version", "created_at", "updated_at", "closed_at")

    @admin.display(description="balances")
    def held(self, row: Wallet) -> SafeString:
        balances = Balance.objects.filter(user_id=row.user_id, wallet_id=row.pk)
        lines = [
            (money.text(each.amount, each.currency), each.currency)
            for each in balances.order_by("currency")
        ]
        return format_html_join("", "<div>{} {}</div>", lines)


@admin.register(Balance)
class BalanceAdmin(SearchedByUserAdmin, ReadOnlyAdmin):
    ordering = ("-user_id", "-wallet_id", "-currency", "-id")
    list_display = ("currency", "user", "wallet", "now", "began_with", "is_open")
    list_filter = ("is_open", CurrencyFilter)
    list_select_related = ("user", "wallet")
    fields = ("id", "user", "wallet", "currency", "now", "began_with", "is_open", "created_at")

    @admin.display(description="amount")
    def now(self, row: Balance) -> SafeString:
        return money_cell(row.amount, row.currency)

    @admin.display(description="opening amount")
    def began_with(self, row: Balance) -> SafeString:
        return money_cell(row.opening, row.currency)
