"""The Celery application: `celery -A fido worker`, `celery -A fido beat`."""

import ctypes
import os
import signal
import sys
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")

app = Celery("fido")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Carries the request's id into the worker's log lines.
app.steps["worker"].add(DjangoStructLogInitStep)

PR_SET_PDEATHSIG = 1


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Connected, so that Celery does not set up logging of its own."""


@worker_process_init.connect
def end_with_the_worker(**kwargs: Any) -> None:
    # A worker that is killed with -9 cannot end its pool; the kernel does, on Linux.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
