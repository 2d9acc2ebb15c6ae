"""Encrypted columns: how the package loses data, what the guard prevents, and lookups."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import fernet_fields
import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.db import connection, models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Upper
from django.test.utils import isolate_apps
from pytest_django.fixtures import Settings

from accounts.models import User
from fido.lib.values.crypto.fields import blind_index, matching, normalised_email, normalised_name
from tests.factories import UserFactory, record
from transactions.models import Transaction

NAME = "Jürgen Åsa O'Neil"


@pytest.fixture
def jane(db: None) -> User:
    user: User = UserFactory.create(full_name=NAME)
    return user


def token_of(user: User) -> bytes:
    """The stored token."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT full_name FROM accounts_user WHERE id = %s", [user.pk])
        return bytes(cursor.fetchone()[0])


def name_of(user: User) -> str | None:
    name: Any = User.objects.get(pk=user.pk).full_name
    assert name is None or isinstance(name, str)
    return name


# --- what the package loses --------------------------------------------------------------------


@pytest.fixture
def diary(db: None) -> Iterator[Any]:
    """A table with the package's own field, without our guard."""
    with isolate_apps("accounts"):

        class Diary(models.Model):
            text = fernet_fields.EncryptedTextField(null=True)

            class Meta:
                app_label = "accounts"

            def __str__(self) -> str:
                return "diary"

        with connection.schema_editor() as editor:
            editor.create_model(Diary)
        yield Diary


def test_the_packages_bulk_update_stores_the_text_of_the_expression(diary: Any) -> None:
    row = diary.objects.create(text="before")
    row.text = "after"
    diary.objects.bulk_update([row], ["text"])

    lost = diary.objects.get().text
    assert lost != "after"
    assert "CASE WHEN" in lost


def test_the_packages_update_to_a_value_stores_the_text_of_the_expression(diary: Any) -> None:
    diary.objects.create(text="before")
    diary.objects.update(text=Value("after"))

    assert diary.objects.get().text == "Value('after')"


# --- the guard ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        Value("x"),
        F("username"),
        Upper("username"),
        Case(When(is_active=True, then=Value("x")), default=Value("y")),
    ],
    ids=lambda expression: type(expression).__name__,
)
def test_an_expression_is_refused_and_the_name_stays(jane: User, expression: Any) -> None:
    refused = pytest.raises(TypeError, match=r"accounts.User.full_name takes a string or None")
    with refused, transaction.atomic():
        User.objects.filter(pk=jane.pk).update(full_name=expression)

    assert name_of(jane) == NAME


def test_bulk_update_is_refused_and_the_name_stays(jane: User) -> None:
    jane.full_name = "Somebody Else"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="bulk_update"), transaction.atomic():
        User.objects.bulk_update([jane], ["full_name"])

    assert name_of(jane) == NAME


@pytest.mark.parametrize("value", [Value("x"), 1, b"bytes", ["x"]], ids=repr)
def test_saving_anything_but_text_is_refused(jane: User, value: Any) -> None:
    jane.full_name = value
    with pytest.raises(TypeError), transaction.atomic():
        jane.save(update_fields=["full_name"])

    assert name_of(jane) == NAME


@pytest.mark.parametrize("value", ["", " ", NAME, "名前", "x" * 10_000, "a\nb", "🙂", None])
def test_text_and_none_are_read_back_the_same(jane: User, value: str | None) -> None:
    User.objects.filter(pk=jane.pk).update(full_name=value)
    assert name_of(jane) == value

    User.objects.bulk_create([User(username="bulk", full_name=value)])
    assert User.objects.get(username="bulk").full_name == value


def test_the_same_name_is_another_token_each_time(jane: User) -> None:
    first = token_of(jane)
    jane.save()

    assert token_of(jane) != first
    assert NAME.encode() not in first


LOOKUPS = ["exact", "iexact", "contains", "icontains", "startswith", "in", "gt", "range", "regex"]


@pytest.mark.parametrize("lookup", [*LOOKUPS, "length", "upper", "lower__contains", "search"])
def test_a_look_up_in_the_ciphertext_is_refused(jane: User, lookup: str) -> None:
    for ask in (User.objects.filter, User.objects.exclude):
        with pytest.raises(FieldError):
            ask(**{f"full_name__{lookup}": NAME}).exists()


def test_whether_there_is_a_name_can_be_asked(jane: User) -> None:
    assert User.objects.filter(full_name__isnull=False, pk=jane.pk).exists()
    assert not User.objects.filter(full_name__isnull=True, pk=jane.pk).exists()


# --- tokens that cannot be read ----------------------------------------------------------------


def damage(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_user"
            " SET full_name = set_byte(full_name, 19, get_byte(full_name, 19) # 1) WHERE id = %s",
            [user.pk],
        )


def replace_with_garbage(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET full_name = %s", [b"\x00\xff"])


@pytest.mark.parametrize("harm", [damage, replace_with_garbage])
def test_a_damaged_token_is_none_and_the_log_names_the_field_alone(
    jane: User, caplog: pytest.LogCaptureFixture, harm: Callable[[User], None]
) -> None:
    harm(jane)

    assert name_of(jane) is None
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert line.getMessage() == "A token in accounts.User.full_name fits no key."


def test_with_its_key_gone_a_token_is_none_and_comes_back_with_it(
    jane: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    keys = settings.FERNET_KEYS
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    assert name_of(jane) is None
    assert "fits no key" in caplog.text

    settings.FERNET_KEYS = keys
    assert name_of(jane) == NAME


def test_after_rotation_old_tokens_are_read_and_new_ones_are_under_the_new_key(
    jane: User, settings: Settings
) -> None:
    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    settings.FERNET_KEYS = [new, old]
    assert name_of(jane) == NAME

    jane.save()
    assert Fernet(new).decrypt(token_of(jane)).decode() == NAME


# --- the blind index ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "jürgen åsa o'neil",
        "JURGEN ASA O'NEIL",
        "  Ju\u0308rgen \t A\u030asa   O'Neil\n",
        "Ｊürgen Åsa O'Neil",
    ],
    ids=ascii,
)
def test_case_accents_and_spaces_do_not_hide_a_name(jane: User, other: str) -> None:
    assert User.objects.filter(matching(User, "full_name", other)).get() == jane


@pytest.mark.parametrize("other", ["Jürgen", "Jürgen ÅsaO'Neil", "Jurgen Asa ONeil", "", "%"])
def test_another_name_is_not_found(jane: User, other: str) -> None:
    assert not User.objects.filter(matching(User, "full_name", other)).exists()


def test_what_case_folding_makes_longer_is_one_name() -> None:
    assert normalised_name("STRASSE İ ﬁ") == normalised_name("straße i̇ fi")
    assert normalised_name(normalised_name("Łukasz Ñ")) == normalised_name("Łukasz Ñ")


def test_accents_in_an_address_lead_to_another_mailbox() -> None:
    assert normalised_email(" Jane@Example.ORG ") == "jane@example.org"
    assert normalised_email("jané@example.org") != normalised_email("jane@example.org")


def test_each_field_has_digests_of_its_own() -> None:
    digests = {
        blind_index(User, "full_name").digest("jane@example.org"),
        blind_index(User, "email").digest("jane@example.org"),
        blind_index(Transaction, "full_name").digest("jane@example.org"),
    }

    assert len(digests) == 3
    assert {len(digest) for digest in digests if digest} == {32}


def test_without_a_name_there_is_no_digest() -> None:
    assert blind_index(User, "full_name").digest(None) is None
    assert blind_index(User, "full_name").digest("") is None


def test_a_field_without_a_blind_index_says_so() -> None:
    with pytest.raises(LookupError, match=r"transactions.Transaction.description"):
        blind_index(Transaction, "description")


def test_with_two_keys_old_rows_and_new_ones_are_found(jane: User, settings: Settings) -> None:
    record(jane, full_name=NAME)
    settings.BLIND_INDEX_KEYS = [b"n" * 32, *settings.BLIND_INDEX_KEYS]
    record(jane, full_name=NAME.upper())
    record(jane, full_name="Somebody Else")

    assert Transaction.objects.named(NAME).count() == 2
    settings.BLIND_INDEX_KEYS = settings.BLIND_INDEX_KEYS[:1]
    assert Transaction.objects.named(NAME).count() == 1


def test_equal_names_are_equal_only_under_one_key(settings: Settings) -> None:
    field = blind_index(User, "full_name")
    before = field.digest(NAME)
    settings.BLIND_INDEX_KEYS = [b"n" * 32]

    assert field.digest(NAME) != before
