from django.apps import AppConfig


class RatesConfig(AppConfig):
    name = "accounts.rates"
    label = "rates"
