"""The output of `manage.py warm_cache`."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from django_redis import get_redis_connection

from accounts import operations as accounts
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import UserFactory, record

pytestmark = pytest.mark.django_db(transaction=True)


def warm_cache(*arguments: str) -> str:
    out = StringIO()
    call_command("warm_cache", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        warm_cache(*arguments)
    assert get_redis_connection().keys("*") == []
    return str(refused.value)


def sources(*clients: ApiClient) -> list[str]:
    return [client.get("/analytics").headers["X-Cache"] for client in clients]


def test_those_who_are_named_are_warmed(
    ada: ApiClient, ben: ApiClient, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [str(ada.user_id)] * 2

    assert warm_cache("--user", *ids) == "1 users: 1 warmed, 0 already kept, 0 skipped.\n"

    assert capsys.readouterr().err == "Users: 1 of 1\n"
    assert sources(ada, ben) == ["hit", "miss"]


def test_it_tells_what_it_did_not_need_to_do(ada: ApiClient, ben: ApiClient) -> None:
    away = UserFactory.create()
    accounts.set_active(user=away, active=False)
    ids = [str(client.user_id) for client in (ada, ben)]
    sources(ada)

    with write_fence(ben.user_id):
        said = warm_cache("--user", *ids, str(away.pk))

    assert said == "3 users: 0 warmed, 1 already kept, 2 skipped.\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], ["hit", "hit"]), (["--users", "1"], ["miss", "hit"]), (["--users", "9"], ["hit", "hit"])],
    ids=str,
)
def test_the_most_active_are_warmed(
    ada: ApiClient, ben: ApiClient, arguments: list[str], expected: list[str]
) -> None:
    for client in (ada, ben, ben):
        assert client.user
        record(client.user, transaction_date=clock.now())

    warm_cache(*arguments)

    assert sources(ada, ben) == expected


def test_where_nobody_is_active_there_is_nothing_to_do(ada: ApiClient) -> None:
    assert warm_cache() == "0 users: 0 warmed, 0 already kept, 0 skipped.\n"


@pytest.mark.parametrize("option", ["--users", "--user"])
@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5", "٣"])
def test_a_number_that_is_none_is_refused(option: str, number: str) -> None:
    assert "must be a whole number of at least 1" in refusal(f"{option}={number}")


def test_a_number_and_names_at_once_are_refused() -> None:
    assert "not allowed with" in refusal("--users", "1", "--user", "1")


@pytest.mark.parametrize("unknown", [10**6, 2**63, 10**30])
def test_an_unknown_user_is_named_and_nobody_is_warmed(ada: ApiClient, unknown: int) -> None:
    said = refusal("--user", str(ada.user_id), str(unknown))

    assert said == f"There is no user {unknown}."


def test_with_the_job_turned_off_it_asks_for_a_number() -> None:
    with override_settings(WARM_USERS=0):
        assert refusal() == "WARM_USERS is 0: give a number with --users."


def test_with_redis_away_it_fails_and_says_how_far_it_came(
    ada: ApiClient, redis_away: None
) -> None:
    with pytest.raises(CommandError) as refused:
        warm_cache("--user", str(ada.user_id))

    expected = "Redis is away. 0 users: 0 warmed, 0 already kept, 0 skipped."
    assert str(refused.value) == expected


def test_nobody_is_told_by_name(ada: ApiClient, capsys: pytest.CaptureFixture[str]) -> None:
    said = warm_cache("--user", str(ada.user_id))

    everything = "".join([said, *capsys.readouterr()])
    assert "ada" not in everything
    assert "Lovelace" not in everything
