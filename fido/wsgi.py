"""The WSGI application for gunicorn."""

import gc
import os

# First, because the next import reads the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from fido.lib.api.fast_path import FastPath, Wsgi
from fido.lib.api.middleware import Request
from fido.lib.process.database import bound_transactions, trust_busy_connections
from fido.lib.process.signals import about_to_serve

django = get_wsgi_application()
django.request_class = Request
application: Wsgi = FastPath(django)
if settings.TRACES_ENDPOINT:
    from fido.traces.web import traced

    application = traced(application)
bound_transactions()
trust_busy_connections()

about_to_serve.send(sender=None)

# gunicorn now forks (docs/adr/0020-web-server.md). Otherwise each process's first whole collection
# would write to every object, and so copy most of the memory that they share.
gc.collect()
gc.freeze()
