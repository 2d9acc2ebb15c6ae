"""OpenTelemetry traces, if the environment names a collector: docs/adr/0028-traces.md.

Nothing else imports OpenTelemetry, which requirements-traces.txt installs.
"""

from django.core.exceptions import ImproperlyConfigured

from fido.lib.cache.redis_link import link


def watch() -> None:
    """Have this process make spans. They go nowhere before `export.start`."""
    try:
        from fido.traces import database, jobs, spans  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, so install requirements-traces.txt too."
        ) from error
    database.watch()
    jobs.watch()
    link.around = lambda: spans.within({"db.system.name": "redis"})
