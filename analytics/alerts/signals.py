"""How the rest of this app hears of new alerts."""

from django.dispatch import Signal

# Sent with `alerts: list[Alert]`, all of one user, inside the database transaction that stores
# them: what a receiver writes commits or rolls back with them.
alerts_raised = Signal()
