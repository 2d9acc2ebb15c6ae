"""The cost of an import, as a ratio to the least possible cost."""

from __future__ import annotations

import csv
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from statistics import median

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection
from django.test import override_settings
from rich.table import Table

from accounts.models import User
from fido.lib.values.clock import now
from fido.lib.values.crypto.blind import digest, normalised_name
from fido.lib.values.ids import new_id
from tests.factories import UserFactory
from transactions.imports import operations, running
from transactions.imports.identities import Identities
from transactions.imports.intake import Intake
from transactions.models import Transaction

ROWS, ROUNDS = 100_000, 3
CHUNK = 5_000
PIECE_BYTES = 64 * 1024
HEADER = (
    *("transaction_date", "transaction_amount", "transaction_type", "currency"),
    *("full_name", "description"),
)
Cells = list[str]
# The least that an import may reach of a bare script's rows per second.
PROMISED_SHARE = 0.5
# The least that a foreign CSV with a mapping may reach of the same rows in our own layout.
PROMISED_MAPPED = 0.9


@dataclass(frozen=True)
class Timings:
    """Seconds of the bare script and of the service in each round.

    `mapped` are those of a foreign CSV with a mapping, and `own` of the same rows in our layout,
    with the same external ids.
    """

    rows: int
    bare: list[float]
    service: list[float]
    own: list[float]
    mapped: list[float]

    @property
    def shares(self) -> list[float]:
        """Which part of the bare script's rows a second the service reaches, by round."""
        return [bare / service for bare, service in zip(self.bare, self.service, strict=True)]

    @property
    def mapped_shares(self) -> list[float]:
        """Which part of our own layout's rows a second a mapped file reaches, by round."""
        return [own / mapped for own, mapped in zip(self.own, self.mapped, strict=True)]


def measured(rows: int = ROWS) -> Timings:
    """The bare script and the service, in turns."""
    return Timings(rows, **_measured(rows))


def kept_promises(timings: Timings) -> dict[str, bool]:
    mapped = median(timings.mapped_shares) >= PROMISED_MAPPED
    return {
        "an import reaches half of the bare script": median(timings.shares) >= PROMISED_SHARE,
        "a mapped CSV reaches nine tenths of our own layout": mapped,
    }


def table(timings: Timings) -> Table:
    """Rows per second of both, and their ratio."""
    rows, bare, service = timings.rows, median(timings.bare), median(timings.service)
    shown = Table("import", "rows a second", "to the bare script", title=f"{rows:,} rows of CSV")
    shown.add_row("bare script: parse, encrypt, index, COPY", f"{rows / bare:,.0f}", "1.00")
    share = median(timings.shares)
    shown.add_row("import, from its first byte", f"{rows / service:,.0f}", f"{share:.2f}")
    own, mapped, share = median(timings.own), median(timings.mapped), median(timings.mapped_shares)
    shown.add_row("the same with external ids", f"{rows / own:,.0f}", "")
    what = f"as another bank's CSV: {share:.2f} of that"
    shown.add_row(what, f"{rows / mapped:,.0f}", "")
    return shown


def _measured(rows: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {"bare": [], "service": [], "own": [], "mapped": []}
    with tempfile.TemporaryDirectory() as folder, override_settings(IMPORTS_DIR=folder):
        file = _file(Path(folder) / "rows.csv", rows)
        own, foreign = Path(folder) / "own.csv", Path(folder) / "foreign.csv"
        _rewrite(file, own, foreign)
        ways = {
            "bare": partial(_bare, file),
            "service": partial(_service, file),
            "own": partial(_service, own),
            "mapped": partial(_service, foreign),
        }
        for _ in range(ROUNDS):
            for name, way in ways.items():
                owner = UserFactory.create()
                seconds[name].append(_timed(partial(way, owner)))
                assert Transaction.objects.filter(user=owner).count() == rows
    return seconds


def _timed(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def _file(path: Path, rows: int) -> Path:
    chance = random.Random(1)
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(HEADER)
        for number in range(rows):
            day = f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00Z"
            amount, kind = f"{chance.randint(1, 99999)}.50", chance.choice(["credit", "debit"])
            name = f"Person Number {chance.randrange(5000)}"
            writer.writerow([day, amount, kind, "USD", name, f"Invoice {number}, paid"])
    return path


def _rewrite(file: Path, own: Path, foreign: Path) -> None:
    """The rows with the external ids that a foreign file gives them, and as such a file."""
    ids = Identities()
    with (
        file.open(newline="") as source,
        own.open("w", newline="") as ours,
        foreign.open("w", newline="") as theirs,
    ):
        first, second = csv.writer(ours), csv.writer(theirs, delimiter=";")
        first.writerow([*HEADER, "external_id"])
        second.writerow(["Buchungstag", "Betrag", "Währung", "Empfänger", "Verwendungszweck"])
        for cells in islice(csv.reader(source), 1, None):
            day, amount, kind, currency, name, text = cells
            first.writerow([*cells, ids.of("content", cells)])
            date = ".".join(reversed(day[:10].split("-")))
            sign = "-" if kind == "debit" else ""
            second.writerow([date, f"{sign}{amount}".replace(".", ","), currency, name, text])


def _service(file: Path, owner: User) -> None:
    intake = Intake(new_id())
    with file.open("rb") as source:
        while piece := source.read(PIECE_BYTES):
            intake.feed(piece)
    layout = intake.finish()
    row = operations.submit(
        id_=intake.import_id,
        owner=owner,
        created_by=owner,
        layout=layout,
        size_bytes=intake.size_bytes,
    )
    claimed = operations.claim(user_id=owner.pk, import_id=row.pk)
    assert claimed is not None
    running.run(claimed, must_stop=lambda: False)


# What the bare script writes; everything else is null.
COLUMNS = (
    *("id", "user_id", "full_name", "full_name_index", "description"),
    *("transaction_date", "transaction_amount", "transaction_type", "currency"),
    *("version", "created_at", "updated_at"),
)


def _bare(file: Path, owner: User) -> None:
    """As short as possible, with as many processes as the import has."""
    encode = partial(
        _lines, owner.pk, settings.FERNET_KEYS[0], settings.BLIND_INDEX_KEYS[0], now().isoformat()
    )
    copy = f"COPY transactions_transaction ({', '.join(COLUMNS)}) FROM STDIN"
    with file.open(newline="") as source, Pool(settings.IMPORT_PROCESSES) as pool:
        rows = csv.reader(source)
        next(rows)
        with connection.cursor() as cursor, cursor.copy(copy) as target:
            for lines in pool.imap(encode, _chunks(rows)):
                target.write(lines)


def _chunks(rows: Iterator[Cells]) -> Iterator[list[Cells]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _lines(
    user_id: int, fernet_key: str, index_key: bytes, moment: str, rows: list[Cells]
) -> bytes:
    encrypt = Fernet(fernet_key).encrypt
    lines = []
    for day, amount, kind, currency, name, description in rows:
        token, note = encrypt(name.encode()).decode(), encrypt(description.encode()).decode()
        index = digest(index_key, "transactions.Transaction.full_name", normalised_name(name)).hex()
        lines.append(
            f"{new_id()}\t{user_id}\t{token}\t\\\\x{index}\t{note}\t{day}\t{amount}\t{kind}\t"
            f"{currency}\t1\t{moment}\t{moment}\n"
        )
    return "".join(lines).encode()
