"""docs/waits.md lists every time limit, with its value."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

PROJECT = Path(__file__).resolve().parent.parent.parent
PAGE = (PROJECT / "docs" / "waits.md").read_text()
ENV_EXAMPLE = (PROJECT / ".env.example").read_text()
ROW = re.compile(r"^\| [^|]+ \| ([0-9.]+) s(?: more)? \| `([\w.]+)` \| [^|]+ \|$", re.MULTILINE)
LIMIT = re.compile(r"(SECONDS|TIMEOUT)$")
# Time limits by their names, that nobody waits for.
NO_WAITS = {
    "fido.settings.CACHE_SECONDS": "how long an answer is cached",
    "fido.settings.WARM_SECONDS": "how often answers are warmed",
    "fido.settings.WRITER_LAPSE_SECONDS": "when a dead writer is forgotten; reads go on meanwhile",
    "fido.settings.RATES_SYNC_SECONDS": "how often rates are synced",
    "fido.settings.SECURE_HSTS_SECONDS": "a header",
    "fido.env.SECONDS": "units",
    "accounts.api.authentication.KEY_SECONDS": "how long a process remembers an API key",
    "fido.lib.cache.redis_link.LEASE_SECONDS": "how long a generation lasts",
    "fido.lib.cache.redis_link.BEAT_SECONDS": "how often a thread prolongs it",
    "fido.lib.cache.redis_link.PROBE_SECONDS": "how often a thread retries",
    "fido.lib.cache.redis_link.PAUSE_SECONDS": "what counts as a pause",
    "fido.lib.cache.versioned_cache.RETRY_SECONDS": "how often a write retries its last step",
    "fido.lib.process.database.TRUSTED_SECONDS": "how long a used connection is trusted",
    "fido.lib.process.postgresql.base.POLL_SECONDS": "how often psycopg looks for signals",
    "fido.lib.process.watchdog.ROUND_SECONDS": "how often the watchdog looks",
    "fido.celery.LOOP_SECONDS": "how often a worker's main loop shows that it goes round",
    "fido.health.WRITE_SECONDS": "how often /readyz tries a write",
    "fido.management.commands.migrate.PAUSE_SECONDS": "between two tries",
    "fido.lib.values.metrics.REQUEST_SECONDS": "a metric",
    "fido.lib.values.metrics.REDIS_AWAY_SECONDS": "a metric",
    "fido.lib.values.crypto.reencryption.LOCK_TIMEOUT": "a command's, which then retries",
    "accounts.rates.bank.BACKOFF_SECONDS": "between two attempts, within the deadline",
    "transactions.imports.tasks.BUSY_RETRY_SECONDS": "when a job asks again",
    "transactions.imports.tasks.ABANDONED_SECONDS": "when a file counts as abandoned",
    "fido.lib.process.database.HAS_TRANSACTION_TIMEOUT": "a version of PostgreSQL",
    "analytics.alerts.sending.LOOK_SECONDS": "how often due deliveries are looked for",
    "analytics.alerts.rules.MAX_SECONDS": "the longest window of a rule",
    "analytics.alerts.tasks.CHECK_DELAY_SECONDS": "when a job is due",
    "analytics.alerts.tasks.SEND_DELAY_SECONDS": "when a job is due",
    "analytics.tasks.FOLD_DELAY_SECONDS": "when a job is due",
}


def listed() -> list[tuple[str, float]]:
    return [(name, float(seconds)) for seconds, name in ROW.findall(PAGE)]


def path_of(name: str) -> str:
    return name if "." in name else f"fido.settings.{name}"


def limits_in_code() -> Iterator[str]:
    for app in ("fido", "accounts", "transactions", "analytics"):
        for file in (PROJECT / app).rglob("*.py"):
            module = ".".join(file.relative_to(PROJECT).with_suffix("").parts)
            if module.startswith("fido.embedded"):  # `make run` alone
                continue
            for name in names_assigned(ast.parse(file.read_text())):
                if LIMIT.search(name):
                    yield f"{module}.{name}"


def names_assigned(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def test_every_row_is_read() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "at most" not in line]

    assert len(rows) == len(listed()) > 20


@pytest.mark.parametrize(("name", "seconds"), listed())
def test_each_limit_is_what_the_page_says(name: str, seconds: float) -> None:
    if "." in name:
        module, _, constant = name.rpartition(".")
        value = getattr(importlib.import_module(module), constant)
    elif default := re.search(rf"^#{name}=(\d+)$", ENV_EXAMPLE, re.MULTILINE):
        value = int(default[1])  # the tests may have set another one
    else:
        value = getattr(settings, name)

    assert value == (seconds * 1000 if name.endswith("MILLISECONDS") else seconds)


def test_every_limit_in_the_code_is_on_the_page() -> None:
    known = {path_of(name) for name, _ in listed()} | set(NO_WAITS)

    assert set(limits_in_code()) - known == set()


def test_what_is_no_wait_exists() -> None:
    assert set(NO_WAITS) - set(limits_in_code()) == set()
