"""What gunicorn serves."""

import os

# First of all: what is imported next reads the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")

from django.core.wsgi import get_wsgi_application

from fido.lib.database import bound_transactions
from fido.lib.requests import Request

application = get_wsgi_application()
application.request_class = Request
bound_transactions()

# Imported here, for the apps are ready only now.
from accounts.operations import nobodys_password  # noqa: E402

# Else the first login under an unknown name took twice as long, and told that it is unknown.
nobodys_password()
