"""How gunicorn serves: `gunicorn --config python:fido.containers.web fido.wsgi`.

What the environment or the command line says, such as WEB_CONCURRENCY, wins.
"""

import os

from fido.lib.process.logs import logging_config

MEMORY = "/dev/shm"  # noqa: S108 - of a container alone, and gunicorn makes names that are not guessed
# Two processes a core with two threads each did most in trials; more threads lose to the
# interpreter's lock. A container sees all cores of its machine, also where it may use but two.
workers = int(os.environ.get("WEB_CONCURRENCY") or 4)
threads = 2
worker_class = "fido.containers.draining.DrainingWorker"
keepalive = 5
# Imports the service once, and not once for each process.
preload_app = True
max_requests = 20000
max_requests_jitter = 2000
# For requests that are under way, and less than what whoever stops the container waits.
graceful_timeout = 25
# Nobody's X-Forwarded-Proto is believed here; the service itself looks at TRUSTED_PROXIES.
forwarded_allow_ips = ""
control_socket_disable = True
# Its heartbeats are files, which must not wait for a disk.
worker_tmp_dir = MEMORY if os.path.isdir(MEMORY) else None
# gunicorn's own lines are JSON on standard output, as all others; requests the service logs itself.
logconfig_dict = logging_config("WARNING")
logconfig_dict["loggers"]["gunicorn.error"] = {"handlers": ["stdout"], "propagate": False}
