"""Child processes that end with their parent, and that do not run as root if it is refused."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
NOBODY = 65534
# Each is tested before use, the least powerful first. They let an unprivileged server pass a closed
# folder such as root's home; containers often withhold the first and grant the second.
CAPABILITIES = (None, "dac_read_search", "dac_override")


class StartRefused(Exception):
    """The servers or the service cannot start; the text is one sentence for a person."""


def end_with_parent(sig: signal.Signals) -> None:
    """Have Linux send `sig` to this process when the thread that spawned it ends.

    Other systems have no equivalent: there a killed parent's servers stay up until the next start
    on the same state folder ends them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)


@dataclass(frozen=True)
class Account:
    """The user that a server runs as: the caller, or an unprivileged user with one capability."""

    uid: int | None = None
    capability: str | None = None

    def command(self, argv: Sequence[str], death_signal: signal.Signals) -> list[str]:
        if self.capability is None:
            return [*argv]
        capability = f"-all,+{self.capability}"
        # Without no_setuid_fixup, access(2) ignores the capability, and PostgreSQL looks for its
        # own files with access(2). setpriv also has to set the death signal: changing the user
        # clears an earlier one.
        return [
            *("setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"),
            *("--securebits=+no_setuid_fixup", f"--bounding-set={capability}"),
            *(f"--inh-caps={capability}", f"--ambient-caps={capability}"),
            *(f"--pdeathsig={death_signal.name.removeprefix('SIG')}", *argv),
        ]

    def take(self, *paths: Path) -> None:
        """Give ownership of the paths to this account."""
        if self.uid is not None:
            for path in paths:
                os.chown(path, self.uid, self.uid)

    def check_owns(self, path: Path) -> None:
        """Raise StartRefused if the path belongs to another user."""
        owner, user = path.stat().st_uid, os.geteuid() if self.uid is None else self.uid
        if owner != user:
            raise StartRefused(f"{path} belongs to user {owner}: run as the user who made it.")


def spawn(
    argv: Sequence[str],
    *,
    death_signal: signal.Signals,
    account: Account | None = None,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a process in its own session; it gets `death_signal` when this process ends.

    `options` are Popen's. Call it from the main thread: the signal is sent when the spawning
    *thread* ends. The separate session keeps a terminal's Ctrl-C away from the process, so its
    parent decides when it stops.
    """
    account = account or Account()
    dropped = account.uid if account.capability is None else None
    return subprocess.Popen(
        account.command(argv, death_signal),
        start_new_session=True,
        user=dropped,
        group=dropped,
        extra_groups=None if dropped is None else [],
        # Unsafe with threads, and called before there are any. Nothing else can set the signal.
        preexec_fn=_bind_to(os.getpid(), death_signal),  # noqa: PLW1509
        **{"stdin": subprocess.DEVNULL, **options},
    )


def _bind_to(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    def bind() -> None:
        end_with_parent(death_signal)
        # The parent may have died before the previous line ran.
        if os.getppid() != parent:
            os._exit(1)

    return bind


def unprivileged(program: Path, folder: Path) -> Account:
    """An account that PostgreSQL accepts, and that can reach its program and its data."""
    if os.geteuid() != 0:
        return Account()
    for capability in CAPABILITIES:
        account = Account(NOBODY, capability)
        if _reaches(account, program, folder):
            return account
    raise StartRefused(
        f"PostgreSQL refuses to run as root, and user {NOBODY} cannot enter {folder} or "
        f"{program.parent}: run as an ordinary user, or set FIDO_STATE to a folder open to all."
    )


def _reaches(account: Account, program: Path, folder: Path) -> bool:
    test = ["/bin/sh", "-c", 'test -x "$0" && test -x "$1"', str(program), str(folder)]
    try:
        probe = spawn(test, death_signal=signal.SIGKILL, account=account)
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.wait() == 0


def end(process: subprocess.Popen[bytes], sig: signal.Signals, *, within_seconds: float) -> None:
    """Ask a process to stop with `sig`, and kill it if it takes too long."""
    process.send_signal(sig)
    try:
        process.wait(within_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
