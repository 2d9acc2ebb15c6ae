"""Imports that nobody is at are found, and what is left over is removed."""

from typing import Any

import pytest
from django.conf import settings
from django_redis import get_redis_connection

from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.imports import age, amounts, claimed, present, rows, submitted, upload
from tests.queue import all_taken, waiting
from tests.races import at_once, wait_until
from tests.worker import running_worker
from transactions.imports import operations, queries, running, spool, tasks
from transactions.imports.models import Import

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_import_that_was_queued_while_the_queue_was_away_is_found(ada: ApiClient) -> None:
    get_redis_connection().set("imports", "no list, so that nothing can be pushed to it")
    row = submitted(ada, rows(3))
    assert row.status == "queued"
    get_redis_connection().delete("imports")

    age(row)

    with running_worker():
        tasks.resume_imports.delay()
        wait_until(lambda: present(row.pk).status == "done")

    assert amounts(ada) == [1, 2, 3]
    assert not spool.path_of(row.pk).exists()


def test_an_import_with_a_worker_is_left_alone(ada: ApiClient) -> None:
    row = claimed(submitted(ada, rows(3)))
    get_redis_connection().delete("imports")

    tasks.resume_imports()
    tasks.run_import(row.user_id, str(row.pk))

    assert waiting("imports") == 0
    assert present(row.pk).lease == row.lease


def test_imports_that_wait_are_queued_once_and_run_once(ada: ApiClient, ben: ApiClient) -> None:
    waiting_for_jobs = [submitted(owner, rows(2)) for owner in (ada, ben) for _ in range(5)]
    for _ in range(3):
        tasks.resume_imports()
    assert waiting("imports") == 10
    assert not any(present(row.pk).starts for row in waiting_for_jobs)

    get_redis_connection().flushdb()  # the jobs are lost
    age(*waiting_for_jobs)
    at_once(*[tasks.resume_imports] * 3)

    assert (waiting("imports"), queries.unfinished()) == (0, set())
    assert [amounts(owner) for owner in (ada, ben)] == [[*[1] * 5, *[2] * 5]] * 2


def test_a_lost_import_that_fails_keeps_no_other_back(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = submitted(ada, rows(1)), submitted(ada, rows(2))
    age(broken, good)
    run = running.run

    def failing(row: Import, **options: Any) -> None:
        if row.pk == broken.pk:
            raise EOFError
        run(row, **options)

    monkeypatch.setattr(running, "run", failing)
    tasks.resume_imports()

    assert (present(broken.pk).status, present(good.pk).status) == ("running", "done")
    assert f"Import {broken.pk} was interrupted." in caplog.text


def test_a_sweep_of_imports_comes_after_all_jobs_that_are_older() -> None:
    sweeps: Any = settings.CELERY_BEAT_SCHEDULE.values()
    (sweep,) = [each for each in sweeps if each["task"] == tasks.resume_imports.name]

    assert sweep["options"]["expire_seconds"] <= tasks.LOST_SECONDS


def test_an_import_waits_while_the_worker_has_enough_of_them(ada: ApiClient) -> None:
    row = submitted(ada, rows(3))
    get_redis_connection().delete("imports")
    with all_taken(tasks.PLACES):
        tasks.run_import(row.user_id, str(row.pk))

    assert present(row.pk).status == "queued"
    assert waiting("imports") == 1


def test_files_of_uploads_that_broke_off_are_removed_and_others_kept(ada: ApiClient) -> None:
    row = submitted(ada, rows(1))
    orphan = spool.Writer(new_id())
    orphan.write(b"half")
    orphan.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "ABANDONED_SECONDS", -1)
        tasks.remove_abandoned_uploads()

    assert [path.stem for path in spool.path_of(row.pk).parent.glob("*")] == [str(row.pk)]


def test_a_sixth_import_at_once_is_refused_and_leaves_no_file(
    ada: ApiClient, ben: ApiClient
) -> None:
    kept = [submitted(ada, rows(1)) for _ in range(operations.MAX_UNFINISHED)]

    answer = upload(ada, rows(1))

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-imports")
    assert len(list(spool.path_of(kept[0].pk).parent.glob("*"))) == len(kept)
    assert upload(ben, rows(1)).status_code == 202
