"""PostgreSQL on a file system of its own, which can become full."""

import os
import subprocess
from pathlib import Path


class Disk:
    """A tmpfs where root may mount one; elsewhere an ordinary folder, which never becomes full."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder, self.megabytes = folder, megabytes
        folder.mkdir()
        self.can_be_full = not os.geteuid() and self._mount(f"size={megabytes}m,mode=0711")

    def fill(self) -> None:
        """Leave no block free."""
        while not self._resize(self._used_kilobytes()):
            pass  # PostgreSQL has taken more of them meanwhile

    def free(self) -> None:
        assert self._resize(self.megabytes * 1024)

    def remove(self) -> None:
        if self.can_be_full:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _used_kilobytes(self) -> int:
        disk = os.statvfs(self.folder)
        return (disk.f_blocks - disk.f_bfree) * disk.f_frsize // 1024

    def _resize(self, kilobytes: int) -> bool:
        return self._mount(f"remount,size={kilobytes}k")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
