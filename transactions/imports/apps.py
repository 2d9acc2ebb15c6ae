from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "transactions.imports"
    label = "imports"
