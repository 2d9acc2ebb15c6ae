"""Database constraints on users and the access log."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import F, ProtectedError, Value
from django.db.utils import DataError

from accounts import operations
from accounts.models import AccessLogEntry, User
from tests.factories import UserFactory
from tests.key_rings import stored

pytestmark = pytest.mark.django_db


def run(statement: str, *parameters: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.fixture
def jane() -> User:
    return UserFactory.create(username="jane", email="jane@example.org")


@pytest.mark.parametrize("username", ["jane", "JANE"])
def test_a_user_name_is_unique_whatever_its_case(jane: User, username: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        UserFactory.create(username=username, email="other@example.org")

    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["jane@example.org", "Jane@EXAMPLE.org"])
def test_an_email_is_unique_whatever_its_case(jane: User, email: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        UserFactory.create(username="other", email=email)

    assert User.objects.count() == 1


def test_many_may_have_no_email(jane: User) -> None:
    UserFactory.create_batch(2, email=None)

    assert User.objects.filter(email_index=None).count() == 2


@pytest.mark.parametrize(
    "values",
    [
        {"username": ""},
        {"username": "jane@example.org"},
        {"username": "jane doe"},
        {"username": "jäne"},
        {"username": "jane\n"},
        {"username": None},
        {"currency": "usd"},
        {"currency": "US"},
        {"currency": ""},
        {"currency": None},
        {"session_epoch": None},
        {"is_active": None},
        {"is_staff": None},
    ],
    ids=str,
)
def test_a_malformed_user_is_refused(jane: User, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=jane.pk).update(**values)

    assert User.objects.get(pk=jane.pk).username == "jane"


@pytest.mark.parametrize("values", [{"username": "j" * 151}, {"currency": "USDX"}], ids=str)
def test_an_overlong_value_is_refused(jane: User, values: dict[str, Any]) -> None:
    with pytest.raises(DataError), transaction.atomic():
        User.objects.filter(pk=jane.pk).update(**values)


@pytest.mark.parametrize(
    "lose",
    [
        lambda user: User.objects.bulk_update([user], ["full_name"]),
        lambda user: User.objects.update(full_name=F("username")),
        lambda user: User.objects.update(email=Value("x")),
    ],
    ids=["bulk_update", "F", "Value"],
)
def test_a_write_that_would_lose_a_name_is_refused(
    jane: User, lose: Callable[[User], object]
) -> None:
    before = stored(jane, "full_name")

    with pytest.raises(TypeError), transaction.atomic():
        lose(jane)

    assert stored(jane, "full_name") == before


def test_an_encrypted_field_cannot_be_searched(jane: User) -> None:
    for lookup in ("email", "email__icontains", "full_name__exact", "full_name__lower"):
        with pytest.raises(FieldError):
            User.objects.filter(**{lookup: "jane@example.org"}).exists()


def test_a_user_is_found_by_natural_key_in_any_case(jane: User) -> None:
    assert User.objects.get_by_natural_key("JANE") == jane
    assert User.objects.get_by_natural_key("Jane@Example.org") == jane
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key("nobody")


@pytest.fixture
def entry(jane: User) -> AccessLogEntry:
    actor = UserFactory.create(is_staff=True)
    operations.log_access(actor=actor, subject_id=jane.pk, what="user 1", route="api")
    return AccessLogEntry.objects.get()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_accesslogentry SET what = 'nothing'",
        "UPDATE accounts_accesslogentry SET actor_id = subject_id",
        "DELETE FROM accounts_accesslogentry",
        "DELETE FROM accounts_accesslogentry WHERE what = 'user 1'",
    ],
)
def test_the_access_log_is_append_only(entry: AccessLogEntry, statement: str) -> None:
    before = AccessLogEntry.objects.values().get()

    with pytest.raises(ProgrammingError, match="append-only"):
        run(statement)

    assert AccessLogEntry.objects.values().get() == before


def test_the_orm_cannot_change_the_access_log_either(entry: AccessLogEntry) -> None:
    with pytest.raises(ProgrammingError), transaction.atomic():
        AccessLogEntry.objects.update(what="nothing")
    with pytest.raises(ProgrammingError), transaction.atomic():
        entry.delete()

    assert AccessLogEntry.objects.get().what == "user 1"


def test_whoever_is_in_the_access_log_cannot_be_deleted(entry: AccessLogEntry) -> None:
    for person in filter(None, (entry.actor, entry.subject)):
        with pytest.raises(ProtectedError):
            person.delete()
        with pytest.raises(IntegrityError):
            run("SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM accounts_user WHERE id = %s", person.pk)


def test_what_is_ones_own_is_not_logged(jane: User) -> None:
    operations.log_access(actor=jane, subject_id=jane.pk, what="user", route="api")

    assert not AccessLogEntry.objects.exists()


def test_a_new_epoch_is_random(jane: User) -> None:
    epochs: set[uuid.UUID] = {jane.session_epoch}
    for _ in range(5):
        operations.end_sessions(user=jane)
        epochs.add(User.objects.get(pk=jane.pk).session_epoch)

    assert len(epochs) == 6
    assert {epoch.version for epoch in epochs} == {4}
