from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    name = "transactions"

    def ready(self) -> None:
        from transactions import checks  # noqa: F401, PLC0415 - registers itself when imported
