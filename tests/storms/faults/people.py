"""Makes the storm's users in its database: `python -m tests.storms.faults.people WEBHOOK_URL`.

Prints their ids, as JSON. Each has a wallet `main` that no withdrawal empties.
"""

import json
import sys

import django

django.setup()

from analytics.alerts.models import WebhookEndpoint  # noqa: E402
from tests.factories import UserFactory, wallet  # noqa: E402

# Who records transactions, who sends events alone, and who looks whether the service is back.
NAMES = {"recorder": 6, "sender": 2, "probe": 1}
OPENING = "1000000000.00"


def main(webhook_url: str) -> None:
    WebhookEndpoint.objects.create(url=webhook_url)
    ids = {}
    for kind, count in NAMES.items():
        for number in range(count):
            user = UserFactory.create(username=f"{kind}{number}", full_name="Nobody Yet")
            wallet(user, "main", USD=OPENING)
            ids[user.username] = user.pk
    print(json.dumps(ids))


if __name__ == "__main__":
    main(sys.argv[1])
