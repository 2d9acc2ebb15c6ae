"""gunicorn composes no line for a request: the service has logged it."""

from gunicorn.config import Config

from fido.serving import config
from fido.serving.log import WithoutAccess


def test_no_line_is_composed_for_a_request() -> None:
    settings = Config()
    settings.set("logger_class", config.logger_class)
    assert settings.logger_class is WithoutAccess

    # Not set up, which would replace the logging of this process.
    log = object.__new__(WithoutAccess)

    log.access(None, None, None, None)  # looks at nothing, where gunicorn's own would
