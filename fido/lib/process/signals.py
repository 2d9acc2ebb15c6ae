"""What happens to a process as a whole."""

from django.dispatch import Signal

# A web process is about to take its first request: what would make that one slow is done now.
about_to_serve = Signal()
