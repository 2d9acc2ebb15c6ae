"""Load from a container next to the web server, using only the standard library.

It is next to it because a published port has a proxy in front, which accepts connections for a
server that is gone. Prints a line once load is on, and at the end the results of all requests. A
client stops when its connection is refused. A request on an established connection counts as lost
unless its complete response arrives.
"""

import http.client
import json
import sys
import threading
from collections import Counter

ADDRESS, TOKEN = sys.argv[1:3]
CLIENTS = 8
BODY = json.dumps(
    {"transaction_amount": "0.01", "transaction_type": "credit", "transaction_date": "2026-01-31"}
)
HEADERS = {
    "Host": "localhost",
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
}
fates: Counter[str] = Counter()
started = threading.Event()


def client(keeps: bool) -> None:
    connection = None
    while True:
        if connection is None:
            connection = http.client.HTTPConnection(ADDRESS, 8000, timeout=30)
            try:
                connection.connect()
            except OSError as error:
                fates[f"no connection: {type(error).__name__}"] += 1
                return
        try:
            connection.request("POST", "/api/v1/transactions", BODY, HEADERS)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            fates[f"lost: {error!r}"] += 1
            return
        fates[str(answer.status)] += 1
        if fates["201"] > 100:
            started.set()
        if answer.will_close or not keeps:
            connection.close()
            connection = None


def main() -> None:
    threads = [threading.Thread(target=client, args=[n % 2 == 0]) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    started.wait(30)
    print("on", flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps(fates))


main()
