from django.apps import AppConfig


class FidoConfig(AppConfig):
    name = "fido"

    def ready(self) -> None:
        # The Celery application that jobs are queued by. Not in the package's __init__: what
        # needs no Django, such as the processes of an import, would load all of Celery.
        from fido import celery  # noqa: F401, PLC0415
        from fido.lib.api import checks  # noqa: F401, PLC0415
