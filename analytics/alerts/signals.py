"""The signal that tells the rest of this app about new alerts."""

from django.dispatch import Signal

# Sent with `alerts: list[Alert]`, all of one user, inside the database transaction that stores
# them. What a receiver writes commits or rolls back with them.
alerts_raised = Signal()
