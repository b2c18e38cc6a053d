"""The station's read keys: one master for each version, and the key of one card made from it.

A session asks a `KeyStore` for the key of one card and uses it without seeing it, so a SAM can stand in for the
masters in memory: it makes the diversified key in itself and offers the three operations of `CardKey`. A SAM's
answer may block for some milliseconds; sessions run in the reader's own process or beside the loop for that.
Knows no card, no command. Keys never show in a repr or an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from card_io.desfire.crypto import BLOCK, AesKey, CardKey, diversify
from card_io.errors import KeyFileRefused, KeyMissing

KEY_FILE_FORMAT = 1
KEY_FILE_BYTES_MAX = 64 * 1024  # 256 versions fit many times over


class KeyStore(Protocol):
    """Where a session gets the read key of one card."""

    def read_key(self, version: int, diversification: bytes) -> CardKey:
        """The read key of the card with this AN10922 input (1..31 bytes). Raises KeyMissing."""


class KeyRing:
    """Masters in memory, by version (0..255)."""

    def __init__(self, masters: Mapping[int, bytes]) -> None:
        for version, master in masters.items():
            if not 0 <= version <= 0xFF:
                raise ValueError(f"a key version is one byte, not {version}")
            if len(master) != BLOCK:
                raise ValueError(f"the master of version {version} has {len(master)} bytes, not {BLOCK}")
        self._masters = dict(masters)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(versions={sorted(self._masters)})"

    def read_key(self, version: int, diversification: bytes) -> CardKey:
        """See KeyStore."""
        master = self._masters.get(version)
        if master is None:
            held = ", ".join(map(str, sorted(self._masters))) or "none"
            raise KeyMissing(f"the card uses read key version {version}, this station holds {held}")
        return diversify(AesKey(master), diversification)

    def handover(self) -> dict[str, str]:
        """The masters as hex by version, for the pipe to the reader's own process and for nothing else."""
        return {str(version): master.hex() for version, master in self._masters.items()}

    @classmethod
    def from_handover(cls, masters: Mapping[str, str]) -> KeyRing:
        """The other end of the pipe. Raises ValueError."""
        return cls({int(version): bytes.fromhex(master) for version, master in masters.items()})


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    read_keys: dict[str, str]

    def __repr__(self) -> str:
        return "_KeyFile(...)"


class FileKeyStore(KeyRing):
    """Masters from an owner-only JSON file: `{"format": 1, "read_keys": {"1": "<32 hex digits>"}}`.

    Raises KeyFileRefused when the file is missing, readable by others, owned by someone else, or broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(_masters(path, _private_bytes(path)))


def _private_bytes(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyFileRefused(f"the key file {path} cannot be opened ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())  # of the open file, so that nobody swaps it after the check
        if not stat.S_ISREG(facts.st_mode):
            raise KeyFileRefused(f"{path} is not a file")
        if stat.S_IMODE(facts.st_mode) & 0o077:
            raise KeyFileRefused(f"the key file {path} can be read by others; run: chmod 600 {path}")
        if facts.st_uid not in (0, os.geteuid()):
            raise KeyFileRefused(f"the key file {path} belongs to another user; run: chown it to the station's")
        return file.read(KEY_FILE_BYTES_MAX)


def _masters(path: Path, raw: bytes) -> dict[int, bytes]:
    # the cause is cut off on purpose: it would carry the file's text
    try:
        content = msgspec.json.decode(raw, type=_KeyFile)
    except msgspec.MsgspecError:
        raise KeyFileRefused(f"the key file {path} is not the JSON that it should be") from None
    if content.format != KEY_FILE_FORMAT:
        raise KeyFileRefused(f"the key file {path} has format {content.format}, not {KEY_FILE_FORMAT}")
    masters: dict[int, bytes] = {}
    for version, digits in content.read_keys.items():
        try:
            masters[int(version)] = bytes.fromhex(digits)
        except ValueError:
            raise KeyFileRefused(f"the key file {path} has a broken key {version!r}") from None
        if len(masters[int(version)]) != BLOCK or not 0 <= int(version) <= 0xFF:
            raise KeyFileRefused(f"the key file {path} has a key {version!r} of wrong length or version")
    return masters
