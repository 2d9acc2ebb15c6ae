"""Keys on gunicorn, with several processes that each remember them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api_keys import Machine
from tests.client import ApiClient
from tests.webserver import WebServer, serving

pytestmark = pytest.mark.django_db(transaction=True)
REQUESTS = 40


def statuses(server: WebServer, bearer: Any, method: str = "GET") -> set[int]:
    """Of many requests at once, so that every process gets some."""
    headers = {"Authorization": f"bearer {bearer}", "Content_Type": "application/json"}

    def ask(number: int) -> int:
        path, body = "/api/v1/analytics", None
        if method == "POST":
            path, body = "/api/v1/transactions", b"{}"
        return int(server.request(method, path, body, **headers).status)

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, range(REQUESTS)))


def test_a_key_that_one_process_revokes_is_refused_by_all(ada: ApiClient) -> None:
    assert ada.user
    machine, other = Machine(ada.user), Machine(ada.user, name="other")
    with serving("--workers=3", "--threads=2") as server:
        for key in (machine.key, other.key):
            assert statuses(server, key) == {200}
            assert statuses(server, key, "POST") == {400}

        answer = server.request(
            "DELETE",
            f"/api/v1/users/me/keys/{machine.row.pk}",
            None,
            Authorization=f"Bearer {ada.token}",
        )

        assert answer.status == 204
        assert statuses(server, machine.key) == statuses(server, machine.key, "POST") == {401}
        assert statuses(server, other.key) == statuses(server, ada.token) == {200}
        assert machine.key.rpartition("_")[2] not in server.log()
