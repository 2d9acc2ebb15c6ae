from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "accounts.wallets"
    label = "wallets"
