from django.apps import AppConfig
from django.conf import settings


class FidoConfig(AppConfig):
    name = "fido"

    def ready(self) -> None:
        # The Celery application that queues jobs. It is not imported in the package's __init__,
        # because code that does without Django, such as an import's helper processes, would then
        # load all of Celery.
        from fido import celery, traces  # noqa: F401, PLC0415
        from fido.lib.api import checks  # noqa: F401, PLC0415

        if settings.TRACES_ENDPOINT:
            traces.watch()
