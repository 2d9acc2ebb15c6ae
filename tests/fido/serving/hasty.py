"""gunicorn's configuration with short deadlines, for tests that wait for one."""

from fido.serving import connections
from fido.serving.config import *  # noqa: F403

connections.HEAD_SECONDS = connections.BODY_SECONDS = connections.SILENT_SECONDS = 1.0
