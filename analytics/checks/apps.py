from django.apps import AppConfig


class ChecksConfig(AppConfig):
    name = "analytics.checks"
    label = "checks"
