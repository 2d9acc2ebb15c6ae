"""gunicorn's configuration: `gunicorn --config python:fido.serving.config fido.wsgi`.

Values from the environment or the command line, such as WEB_CONCURRENCY, take precedence.
"""

import os
import time
from typing import Any

from fido.lib.process.logs import logging_config

# Between `make run` and its web server, and no setting: the file that the port waits for.
OPENS_AFTER = "FIDO_OPENS_AFTER"
MEMORY = "/dev/shm"  # noqa: S108 - of a container alone, and gunicorn makes names that are not guessed
# Two processes per core with two threads each had the highest throughput in trials; with more
# threads the interpreter lock costs more than they gain. The default does not follow the number of
# cores: a container sees all of its machine's, even if it may use only two.
workers = int(os.environ.get("WEB_CONCURRENCY") or 4)
threads = 2
worker_class = "fido.serving.worker.Worker"
# Each takes a file descriptor, of which many systems give a process 1,024.
worker_connections = 500
keepalive = 5
# Imports the service once instead of once per process.
preload_app = True
max_requests = 20000
max_requests_jitter = 2000
# The master kills a process whose main loop has not gone round for so many seconds, and starts
# another one. A thread that is stuck is the watchdog's business (fido/lib/process/watchdog.py).
timeout = 30
# Time for running requests to finish; less than the container's stop timeout.
graceful_timeout = 25
# gunicorn trusts no X-Forwarded-Proto; the service itself checks TRUSTED_PROXIES.
forwarded_allow_ips = ""
control_socket_disable = True
# gunicorn's heartbeats are files, which must not wait for a disk.
worker_tmp_dir = MEMORY if os.path.isdir(MEMORY) else None
# gunicorn logs on standard output, like everything else.
logger_class = "fido.serving.log.WithoutAccess"
logconfig_dict = logging_config("WARNING", (os.environ.get("LOG_FORMAT") or "json").lower())
logconfig_dict["loggers"]["gunicorn.error"] = {"handlers": ["stdout"], "propagate": False}


def on_starting(server: Any) -> None:
    """The service is imported, and the port opens next: not before this file is there, if any."""
    awaited = os.environ.get(OPENS_AFTER)
    while awaited and not os.path.exists(awaited):
        time.sleep(0.02)


def post_worker_init(worker: Any) -> None:
    """After the fork, which would not copy the thread that sends traces."""
    from django.conf import settings  # noqa: PLC0415 - the master configures Django later

    if settings.TRACES_ENDPOINT:
        from fido.traces import export  # noqa: PLC0415

        export.start("fido-web")
