"""The state folder: its locks, its secrets, and the notes of where servers and service listen.

`owner.lock` is held by the process that started the servers *and by the servers themselves*, which
inherit it. It is free only once the last of them has exited, however it exited. `users.lock` is
shared by the guests, so that a short-lived owner can wait for them.
"""

import base64
import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fido.embedded.process import StartRefused

PROJECT = Path(__file__).resolve().parent.parent.parent
# The two secrets that are for the servers and not for the service's settings.
PASSWORDS = POSTGRES, VALKEY = "POSTGRES_PASSWORD", "VALKEY_PASSWORD"
MIN_FREE_BYTES = 300 * 1024 * 1024
MIN_FREE_BYTES_LATER = 50 * 1024 * 1024


@dataclass(frozen=True)
class Note:
    """Where the servers listen, and who started them."""

    owner: int
    postgres: int
    postgres_port: int
    valkey: int
    valkey_port: int

    def owner_lives(self) -> bool:
        try:
            os.kill(self.owner, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def end_orphans(self) -> None:
        """End servers whose owner died, on systems that did not end them with it."""
        for pid, sig in ((self.postgres, signal.SIGINT), (self.valkey, signal.SIGTERM)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, sig)


class State:
    """One state folder. The constructor creates the folder, or raises StartRefused."""

    def __init__(self, folder: Path | None = None) -> None:
        chosen = folder or Path(os.environ.get("FIDO_STATE") or PROJECT / ".fido")
        self.folder = chosen.absolute()
        with self.refusing():
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                # As root, the servers' own user has to pass through the folder, but not to list it.
                self.folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn file system errors into a sentence for a person."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StartRefused(f"Cannot keep state in {self.folder}: {reason}.") from error

    def check_space(self) -> None:
        """Raise StartRefused if the disk has too little space for the servers."""
        made = (self.folder / "postgres").exists()
        needed = MIN_FREE_BYTES_LATER if made else MIN_FREE_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise StartRefused(
                f"The disk of {self.folder} is too full: {free // 1024**2} MB are free, "
                f"and {needed // 1024**2} MB are needed."
            )

    def open_lock(self, name: str) -> int:
        return os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def lock(self, name: str, kind: int) -> int | None:
        """A descriptor that holds the lock until it and its inherited copies are closed; None if
        taken.
        """
        descriptor = self.open_lock(name)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def secrets(self) -> dict[str, str]:
        """The generated secrets, created on the first call ever and stored."""
        path = self.folder / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        known = _fresh_secrets() | kept
        if known != kept:
            _write(path, known)
        return known

    def demo_password(self) -> str | None:
        """The password that the demonstration was loaded with, or None before that."""
        path = self.folder / "demo.json"
        return str(json.loads(path.read_text())["password"]) if path.exists() else None

    def keep_demo_password(self, password: str) -> None:
        _write(self.folder / "demo.json", {"password": password})

    def publish(self, note: Note) -> None:
        _write(self.folder / "servers.json", asdict(note))

    def withdraw(self) -> None:
        (self.folder / "servers.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def announcing(self, address: str) -> Iterator[None]:
        """For scripts: the service's address is in the file `address` while the block runs."""
        path = self.folder / "address"
        with self.refusing():
            _replace(path, f"{address}\n")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def note(self) -> Note | None:
        try:
            return Note(**json.loads((self.folder / "servers.json").read_text()))
        except FileNotFoundError:
            return None


def _fresh_secrets() -> dict[str, str]:
    key = base64.urlsafe_b64encode
    return {
        POSTGRES: secrets.token_urlsafe(24),
        VALKEY: secrets.token_urlsafe(24),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
        "FERNET_KEYS": key(secrets.token_bytes(32)).decode(),
        "BLIND_INDEX_KEYS": key(secrets.token_bytes(32)).decode(),
        "FIDO_DEMO_PASSWORD": secrets.token_urlsafe(9),
    }


def _write(path: Path, content: dict[str, str] | dict[str, int]) -> None:
    _replace(path, json.dumps(content))


def _replace(path: Path, text: str) -> None:
    # Written to a draft and renamed: a reader, or a crash, finds the old file or the new one.
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
