"""Moving tokens and digests to the newest keys, one batch at a time."""

import threading
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from accounts import operations as accounts
from accounts.models import User
from fido.lib.values.crypto import reencryption
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.crypto.reencryption import EncryptedColumn, Tally
from tests.factories import UserFactory, record
from tests.key_rings import forget_older_keys, is_under, rotate, store, stored
from tests.races import DEADLINE_SECONDS
from transactions import operations
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


def column(name: str) -> EncryptedColumn:
    return next(each for each in reencryption.encrypted_columns() if str(each) == name)


def move_all(name: str, size: int = 100) -> Tally:
    tally = Tally()
    for rows in reencryption.batches(column(name), size):
        tally.add(reencryption.move(column(name), rows))
    return tally


def test_every_encrypted_column_is_found_without_being_named() -> None:
    found = {
        str(each): each.index and each.index.attname for each in reencryption.encrypted_columns()
    }

    assert found == {
        "alerts.WebhookEndpoint.secret": None,
        "alerts.WebhookEndpoint.previous_secret": None,
        "accounts.User.email": "email_index",
        "accounts.User.full_name": "full_name_index",
        "fido.IdempotencyKey.answer": None,
        "transactions.Transaction.full_name": "full_name_index",
        "transactions.Transaction.description": None,
    }


def test_a_moved_token_is_under_the_newest_key_and_keeps_its_time(settings: Any) -> None:
    row = record(UserFactory.create())
    (old,) = settings.FERNET_KEYS
    long_ago = 1_600_000_000
    store(row, "description", Fernet(old).encrypt_at_time(b"Tea with Grace", long_ago))
    rotate(settings)

    tally = move_all("transactions.Transaction.description")

    token, newest = stored(row, "description") or b"", Fernet(settings.FERNET_KEYS[0])
    assert tally == Tally(newest=1, written=1)
    assert newest.decrypt(token) == b"Tea with Grace"
    assert newest.extract_timestamp(token) == long_ago


def test_once_moved_the_older_keys_are_not_needed(settings: Any) -> None:
    ada = UserFactory.create(email="Ada@example.org", full_name="Ada Lovelace")
    record(ada, full_name="Ada Lovelace", description=None)
    rotate(settings)

    for each in reencryption.encrypted_columns():
        move_all(str(each))
    forget_older_keys(settings)

    assert User.objects.get_queryset().with_email("ada@EXAMPLE.org").get().email == ada.email
    assert Transaction.objects.named("ada lovelace").get().full_name == "Ada Lovelace"


def test_what_is_under_the_newest_keys_is_not_written_again(settings: Any) -> None:
    owner = UserFactory.create()
    rows = [record(owner) for _ in range(3)]
    rotate(settings)
    first_batch = next(reencryption.batches(column("transactions.Transaction.full_name"), 2))
    reencryption.move(column("transactions.Transaction.full_name"), first_batch)
    tokens = [stored(row, "full_name") for row in rows[:2]]

    resumed = move_all("transactions.Transaction.full_name")

    assert resumed == Tally(newest=3, written=1)
    assert [stored(row, "full_name") for row in rows[:2]] == tokens


def test_batches_cover_every_row_once() -> None:
    owner = UserFactory.create()
    ids = [record(owner).pk for _ in range(5)]

    read = list(reencryption.batches(column("transactions.Transaction.full_name"), 2))

    assert [len(rows) for rows in read] == [2, 2, 1]
    assert [row.pk for rows in read for row in rows] == ids


def test_a_batch_is_one_update_that_names_the_user(settings: Any) -> None:
    owner = UserFactory.create()
    for _ in range(4):
        record(owner)
    rotate(settings)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        move_all("transactions.Transaction.full_name")

    updates = [query["sql"] for query in captured if query["sql"].strip().startswith("UPDATE")]
    assert len(updates) == 1
    assert "present.user_id = moved.user_id" in updates[0]


def test_an_edit_between_reading_and_writing_wins(settings: Any) -> None:
    row = record(UserFactory.create(), full_name="Jane Doe")
    rotate(settings)
    names = column("transactions.Transaction.full_name")
    (batch,) = reencryption.batches(names, 10)
    reading = reencryption.read(names, batch[0])

    operations.amend(row=row, changes={"full_name": "Jane Smith"})
    written = reencryption.write(names, [reading])

    assert written == {}
    assert Transaction.objects.named("Jane Smith").get().full_name == "Jane Smith"
    assert not Transaction.objects.named("Jane Doe").exists()


def test_an_edit_that_beats_the_batch_is_counted_as_it_has_become(settings: Any) -> None:
    row = record(UserFactory.create(), full_name="Jane Doe")
    rotate(settings)
    names = column("transactions.Transaction.full_name")
    (batch,) = reencryption.batches(names, 10)

    operations.amend(row=row, changes={"full_name": "Jane Smith"})

    assert reencryption.move(names, batch) == Tally(newest=1)


def test_a_token_that_fits_no_key_is_left_alone_and_the_rest_is_moved(settings: Any) -> None:
    owner = UserFactory.create()
    damaged, sound = record(owner), record(owner)
    store(damaged, "full_name", b"damaged")
    digest = stored(damaged, "full_name_index")
    rotate(settings)

    tally = move_all("transactions.Transaction.full_name")

    assert tally == Tally(newest=1, unreadable=1, written=1)
    assert stored(damaged, "full_name") == b"damaged"
    assert stored(damaged, "full_name_index") == digest
    assert is_under(settings.FERNET_KEYS[0], stored(sound, "full_name"))


def test_a_token_of_bytes_that_are_no_text_counts_as_unreadable(settings: Any) -> None:
    row = record(UserFactory.create())
    store(row, "full_name", Fernet(settings.FERNET_KEYS[0]).encrypt(b"\xff"))

    assert move_all("transactions.Transaction.full_name") == Tally(unreadable=1)


@pytest.mark.parametrize("digest", [None, b"\0" * 32], ids=["missing", "wrong"])
def test_a_digest_that_does_not_go_with_its_value_is_mended(digest: bytes | None) -> None:
    row = record(UserFactory.create(), full_name="Jane Doe")
    store(row, "full_name_index", digest)

    tally = move_all("transactions.Transaction.full_name")

    assert tally == Tally(newest=1, written=1)
    assert Transaction.objects.named("Jane Doe").get() == row


def test_a_digest_of_no_value_is_removed() -> None:
    ada = UserFactory.create(full_name=None)
    store(ada, "full_name_index", blind_index(User, "full_name").digest("Somebody"))

    assert move_all("accounts.User.full_name") == Tally(written=1)
    assert stored(ada, "full_name_index") is None


def test_of_two_rows_with_one_address_the_second_keeps_its_old_digest(settings: Any) -> None:
    first, second, third = (UserFactory.create(email=f"{n}@example.org") for n in range(3))
    rotate(settings)
    accounts.update_profile(user=first, changes={"email": "ada@example.org"})
    # What a process without the new key may still admit.
    index = blind_index(User, "email")
    store(second, "email", stored(first, "email"))
    old_digest = index.digests("ada@example.org")[1]
    store(second, "email_index", old_digest)

    tally = move_all("accounts.User.email")

    assert tally == Tally(newest=3, old_digests=1, written=1)
    assert stored(second, "email_index") == old_digest
    assert stored(third, "email_index") == index.digest("2@example.org")


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_passed_by_and_the_others_are_moved(settings: Any) -> None:
    owner = UserFactory.create()
    rows = [record(owner) for _ in range(4)]
    rotate(settings)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Transaction.objects.filter(pk=rows[1].pk).update(version=2)
            held.set()
            done.wait(timeout=DEADLINE_SECONDS)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(timeout=DEADLINE_SECONDS)
    tally = move_all("transactions.Transaction.full_name")
    done.set()
    holder.join()

    assert tally == Tally(newest=3, older=1, old_digests=1, written=3)
    assert move_all("transactions.Transaction.full_name") == Tally(newest=4, written=1)
