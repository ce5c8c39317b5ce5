"""A folder that one run writes to: a second one at the same time is refused."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from monai.config import PathLike

from ..errors import ConfigError

__all__ = ["OccupiedFolder"]

logger = logging.getLogger("monai_mtl")


class OccupiedFolder:
    """A folder that nobody else shall write to; the system frees it if the process ends, however that is.

    To take it also shows, before hours of work, whether the folder can be written to.

    Args:
        folder: Made when it is taken; if nothing was written to it then, it is removed when it is left.
        name: Of the file that is locked, where several runs may share a folder.
    """

    def __init__(self, folder: PathLike, name: str = "") -> None:
        self.folder = Path(folder)
        self._file = self.folder / (f".{name}.running" if name else ".running")
        self._lock: FileLock | None = None
        self._made: list[Path] = []

    def take(self) -> None:
        """Keep others out.

        Raises:
            ConfigError: If another run is in it.
            OSError: If it cannot be written to.
        """
        self._made = [one for one in (self.folder, *self.folder.parents) if not one.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._file)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            what = f"another run is writing to {self.folder}"
            fix = "wait for its end, stop it, or choose another --output (ckpt_dir and output_dir of the config)"
            raise ConfigError(what, fix=fix) from error
        except NotImplementedError:  # a network's disk without locks
            logger.warning("%s cannot be kept for this run alone: see that no other run writes to it", self.folder)
            return
        self._lock = lock

    def __enter__(self) -> OccupiedFolder:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Let others in; nothing happens if it was not taken."""
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None
            with suppress(OSError):  # not empty, as after any run that got somewhere
                for folder in self._made:
                    folder.rmdir()
