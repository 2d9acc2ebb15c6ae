"""Does each task of the locustfile twice, and prints what was asked and what failed, as JSON.

A process of its own, because gevent patches the one that imports locust.
"""

import json
import sys
from contextlib import suppress

from locust.env import Environment
from locust.exception import RescheduleTask

from locustfile import Customer


def main(host: str) -> None:
    Customer.host = host
    environment = Environment(user_classes=[Customer])
    environment.create_local_runner()
    user = Customer(environment)
    user.on_start()
    once = list(dict.fromkeys(Customer.tasks))
    # The second time with what the first one has left; at the end nothing has changed in between.
    for tasks in (once, once, [Customer.read_history] * 2):
        for task in tasks:
            with suppress(RescheduleTask):
                task(user)
        user.renew_at = 0.0  # as after a quarter of an hour
    user.on_stop()
    stats = environment.stats
    asked = sorted(f"{method} {name}" for name, method in stats.entries)
    failures = {f"{each.method} {each.name}": str(each.error) for each in stats.errors.values()}
    json.dump({"asked": asked, "failures": failures}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
