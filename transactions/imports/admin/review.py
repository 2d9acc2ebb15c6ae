"""A file between its upload and its import, while staff see what would be recorded.

The file waits in the spool meanwhile, for at most an hour; what belongs to it travels in the form,
signed for whoever uploaded it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.core import signing

from accounts.models import User
from fido.lib.values.errors import DomainError, Kind
from transactions.imports import foreign, spool
from transactions.imports.intake import KEPT_BYTES, Intake
from transactions.imports.layout import CSV, Layout
from transactions.imports.submission import for_named_users
from transactions.mappings import guess
from transactions.mappings.mapping import ColumnMapping, Role, plain

IGNORED = {"role": Role.IGNORE.value}
SALT = "fido.imports.review"
# Well before the sweep takes the file for abandoned.
MAX_AGE_SECONDS = 30 * 60


class ReviewOver(DomainError):
    code, kind = "review-over", Kind.INVALID
    title = "The file is gone: it waits for half an hour. Upload it again."


@dataclass(frozen=True)
class Staged:
    """A file in the spool. `layout` is as it was stored: without a mapping.

    `by_user`: its rows name their users, and the import will be that of the staff.
    """

    import_id: UUID
    owner_id: int
    size_bytes: int
    layout: Layout
    by_user: bool

    @classmethod
    def of(cls, intake: Intake, owner: User, *, by_user: bool) -> Staged:
        """Raises what `Intake.stored` does."""
        layout = intake.stored()
        intake.keep()
        return cls(intake.import_id, owner.pk, intake.size_bytes, layout, by_user)

    def sealed(self, staff: User) -> str:
        fields = asdict(self) | {"import_id": str(self.import_id), "staff": staff.pk}
        return signing.dumps(fields, salt=SALT, compress=True)

    @classmethod
    def opened(cls, token: str, staff: User) -> Staged:
        """Raises ReviewOver: it is old, somebody else's, or no token of ours."""
        try:
            fields = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
        except signing.BadSignature:
            raise ReviewOver() from None
        if fields.pop("staff") != staff.pk:
            raise ReviewOver()
        layout = Layout(**fields.pop("layout"))
        return cls(UUID(fields.pop("import_id")), layout=layout, **fields)

    @property
    def owner(self) -> User:
        return User.objects.get(pk=self.owner_id)

    @property
    def has_mapping(self) -> bool:
        """Whether it is a CSV whose columns need one."""
        return self.layout.form == CSV and not self.layout.columns

    def head(self) -> bytes:
        """Raises ReviewOver."""
        try:
            with spool.opened_bytes(self.import_id) as file:
                return file.read(KEPT_BYTES)
        except spool.SpoolLost:
            raise ReviewOver() from None

    def decided(self, mapping: ColumnMapping | None, known: Iterable[ColumnMapping]) -> Layout:
        """Raises UploadRefused, ReviewOver."""
        layout = foreign.decided(self.layout, self.head(), mapping, known)
        return for_named_users(layout) if self.by_user else layout


def draft(staged: Staged) -> dict[str, Any]:
    """The beginning of a mapping, for a file that does not tell enough."""
    head = staged.head().decode(staged.layout.encoding, errors="replace").removeprefix("\ufeff")
    return {"columns": {name: {"role": role} for name, role in guess.draft(head).items()}}


def shown(staged: Staged, layout: Layout) -> dict[str, Any]:
    """The layout's mapping for a page: all of the file's columns, in its order.

    What the next file of its kind tells by itself is left out: its encoding, and where a table with
    a header begins.
    """
    mapping = dict(layout.mapping or {"columns": {}})
    if mapping.get("encoding") == staged.layout.encoding:
        del mapping["encoding"]
    if mapping.get("header", True):
        mapping.pop("delimiter", None)
        mapping.pop("skip_lines", None)
    stated = {plain(name): column for name, column in mapping["columns"].items()}
    names: dict[str, str] = {}
    for name in filter(None, layout.columns):
        names.setdefault(plain(name), name)
    mapping["columns"] = {name: stated.get(key, IGNORED) for key, name in names.items()}
    return mapping
