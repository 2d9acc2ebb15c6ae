"""Signals about a process as a whole."""

from django.dispatch import Signal

# A web process is about to take its first request. Receivers do now what would make that one slow.
about_to_serve = Signal()
# A request has been answered: `method`, `route` (its pattern) and `status`.
served = Signal()
# In the WSGI environment: how many seconds a request has waited for a thread.
WAITED = "fido.waited"
