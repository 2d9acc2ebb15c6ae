"""The CPU time of a process and of all its descendants, from /proc."""

import os
from collections import defaultdict
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def seconds_of(root: int) -> float:
    """What the tree below `root` has used so far, in user and system mode.

    Children that have ended count as well: their time is in the parent that waited for them.
    """
    ticks, children = _all_processes()
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += ticks.get(pid, 0)
        waiting += children[pid]
    return total / TICKS_A_SECOND


def _all_processes() -> tuple[dict[int, int], dict[int, list[int]]]:
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _fields(folder)):
            pid = int(folder.name)
            children[int(fields[1])].append(pid)
            ticks[pid] = sum(int(each) for each in fields[11:15])
    return ticks, children


def _fields(folder: Path) -> list[str]:
    """The fields of `stat` after the program's name, which may hold spaces and brackets."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []
