"""The signal that tells the rest of this app about new alerts."""

from django.dispatch import Signal

# Sent with `alerts: list[NewAlert]`, of any users, and `endpoints: dict[int, int]`, the webhook
# endpoints that were enabled then with the most alerts that each takes in a message, inside the
# database transaction that stores the alerts. What a receiver writes commits or rolls back with
# them.
alerts_raised = Signal()
