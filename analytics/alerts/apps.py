from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "analytics.alerts"
    label = "alerts"

    def ready(self) -> None:
        from analytics.alerts import receivers  # noqa: F401, PLC0415 - connects itself
