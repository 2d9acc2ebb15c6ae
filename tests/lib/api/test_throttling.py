"""The rate limit on all requests of one user."""

from typing import Any

from pytest_django.fixtures import Settings

from fido.lib.values.limits import Rate
from tests.client import ApiClient


def test_requests_of_one_user_are_throttled_with_the_time_to_wait(
    ada: ApiClient, ben: ApiClient, settings: Settings
) -> None:
    settings.REQUESTS_PER_USER = Rate(2, 60)
    answers: list[Any] = [ada.get("/users/me") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "throttled"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert ben.get("/users/me").status_code == 200
