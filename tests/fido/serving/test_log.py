"""gunicorn composes no line for a request: the service has logged it."""

from gunicorn.config import Config

from fido.serving import config
from fido.serving.log import WithoutAccess


def test_no_line_is_composed_for_a_request() -> None:
    settings = Config()
    settings.set("logger_class", config.logger_class)
    settings.set("logconfig_dict", config.logconfig_dict)

    log = settings.logger_class(settings)

    assert type(log) is WithoutAccess
    assert log.access_log_enabled  # because of the configuration; gunicorn's own would go on
    log.access(None, None, None, None)  # nothing of these is looked at
