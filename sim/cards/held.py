"""A `.card` file in somebody's hands: one process at a time, as there is one card.

The lock is on the file itself. Each change replaces the file, so the new one is locked before it gets the name; who
waits for a lock looks whether what it got still has the name. Knows no command and no reader.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sim.cards.state import CardFileError, CardState, load, write


class HeldCard:
    """The card in the file `path`, until `close`. Raises CardFileError: no card there, or another program has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = _locked(path)
        try:
            self.state = load(path)
        except BaseException:
            self.close()
            raise

    def store(self, state: CardState) -> None:
        """On disk when it returns. Raises CardFileError."""
        try:
            held = write(state, self._path)
        except OSError as error:
            raise CardFileError(f"{self._path} cannot be written ({error.strerror})") from None
        self.close()
        self._held = held

    def close(self) -> None:
        """Anybody may take it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _locked(path: Path) -> int:
    while True:
        try:
            held = os.open(path, os.O_RDONLY)
        except OSError:
            load(path)  # says what is wrong with it
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            here, there = os.fstat(held), path.stat()
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
                return held
        except BlockingIOError:
            os.close(held)
            raise CardFileError(
                f"the card {path} is in another reader: end the program that holds it there, and start again"
            ) from None
        except FileNotFoundError:
            pass  # it was deleted in this very moment
        os.close(held)  # it was replaced in this very moment
