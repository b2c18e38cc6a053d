"""The keys a session may use: one master for each key number and version, and the key of one card made from it.

A session asks a `KeyStore` for the key of one card and uses it without seeing it, so a SAM can stand in for the
masters in memory: it makes the diversified key in itself and offers the three operations of `CardKey`. A SAM's
answer may block for some milliseconds; sessions run in the reader's own process or beside the loop for that.

A station holds the read key (1, or 5 to 9 where it is a guest), and the debit key (2) only where purses are used: a
stolen station can do what its keys can until they are rotated. Versions lie side by side while cards are rotated one
by one. Headquarters' keys are in `card_io.vault`. Knows no card, no command. Keys never show in a repr or an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from card_io.application import DEBIT_KEY_NUMBER, GUEST_KEY_NUMBERS, READ_KEY_NUMBER
from card_io.desfire.crypto import BLOCK, AesKey, CardKey, diversify
from card_io.errors import KeyFileRefused, KeyMissing

KEY_FILE_FORMATS = (1, 2)  # 1 had read keys only
KEY_FILE_BYTES_MAX = 64 * 1024  # 256 versions fit many times over
PUBLIC_KEY_LENGTH = 32  # Ed25519
READ_KEY_NUMBERS = frozenset({READ_KEY_NUMBER, *GUEST_KEY_NUMBERS})
STATION_KEY_NUMBERS = READ_KEY_NUMBERS | {DEBIT_KEY_NUMBER}


class KeyStore(Protocol):
    """Where a session gets the keys of one card."""

    def card_key(self, number: int, version: int, diversification: bytes) -> CardKey:
        """Key `number` of the card with this AN10922 input (1..31 bytes). Raises KeyMissing."""


class KeyRing:
    """Masters in memory, by version (0..255): `masters` are this station's read keys, whichever slot it reads with.

    `others` are further keys by number and version.
    """

    def __init__(
        self, masters: Mapping[int, bytes] | None = None, others: Mapping[int, Mapping[int, bytes]] | None = None
    ) -> None:
        self._masters = dict(masters or {})
        self._others = {number: dict(versions) for number, versions in (others or {}).items()}
        for number, versions in {READ_KEY_NUMBER: self._masters, **self._others}.items():
            if not 0 <= number <= 0xFF:
                raise ValueError(f"a key number is one byte, not {number}")
            for version, master in versions.items():
                _check(number, version, master)
        self._ready: dict[tuple[int, int], AesKey] = {}
        """Masters that were asked for, with their cipher set up; of a card's own key nothing is kept."""

    def __repr__(self) -> str:
        others = {number: sorted(versions) for number, versions in sorted(self._others.items())}
        return f"{type(self).__name__}(versions={sorted(self._masters)}, others={others})"

    def card_key(self, number: int, version: int, diversification: bytes) -> CardKey:
        """See KeyStore."""
        master = self._ready.get((number, version))
        if master is None:
            master = self._ready[number, version] = AesKey(self._master(number, version))
        return diversify(master, diversification)

    def _master(self, number: int, version: int) -> bytes:
        versions = dict(self._others.get(number, {}))
        if number in READ_KEY_NUMBERS:
            versions = {**self._masters, **versions}
        if version not in versions:
            held = ", ".join(map(str, sorted(versions))) or "none"
            name = "read key" if number == READ_KEY_NUMBER else f"key {number}"
            raise KeyMissing(f"the card uses {name} version {version}, this station holds {held}")
        return versions[version]

    def handover(self) -> dict[str, str]:
        """All masters as hex, by version or number.version, for the pipe to the reader's own process only."""
        others = {
            f"{number}.{version}": master.hex()
            for number, versions in self._others.items()
            for version, master in versions.items()
        }
        return {str(version): master.hex() for version, master in self._masters.items()} | others

    @classmethod
    def from_handover(cls, masters: Mapping[str, str]) -> KeyRing:
        """The other end of the pipe. Raises ValueError."""
        reading: dict[int, bytes] = {}
        others: dict[int, dict[int, bytes]] = {}
        for name, digits in masters.items():
            number, dot, version = name.rpartition(".")
            into = others.setdefault(int(number), {}) if dot else reading
            into[int(version)] = bytes.fromhex(digits)
        return cls(reading, others)


def _check(number: int, version: int, master: bytes) -> None:
    if not 0 <= version <= 0xFF:
        raise ValueError(f"a key version is one byte, not {version}")
    if len(master) != BLOCK:
        raise ValueError(f"the master of key {number} version {version} has {len(master)} bytes, not {BLOCK}")


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    read_keys: dict[str, str] = {}
    keys: dict[str, dict[str, str]] = {}
    issuer_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "_KeyFile(...)"


class FileKeyStore(KeyRing):
    """Masters from an owner-only JSON file: `{"format": 1, "read_keys": {"1": "<32 hex digits>"}}`.

    Format 2 has further keys by number and version beside them: `"keys": {"2": {"1": "<32 hex digits>"}}`; numbers
    are 1, 2 and 5 to 9, a station is refused any other. `"issuer_keys": ["<64 hex digits>"]` are headquarters' public
    keys, with which entitlements are checked; no secret. Raises KeyFileRefused when the file is missing, readable by
    others, owned by someone else, or broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _content(path, read_private(path, KEY_FILE_BYTES_MAX))
        super().__init__(*_masters(path, content))
        self.issuer_keys = _issuer_keys(path, content)
        """Headquarters' public keys, 32 bytes each; goes into `CardProfile.issuer_keys`."""


def read_private(path: Path, bytes_max: int) -> bytes:
    """An owner-only file's content. Raises KeyFileRefused."""
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
        return file.read(bytes_max)


def _content(path: Path, raw: bytes) -> _KeyFile:
    # the cause is cut off on purpose: it would carry the file's text
    try:
        content = msgspec.json.decode(raw, type=_KeyFile)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise KeyFileRefused(f"the key file {path} is not the JSON that it should be") from None
    if content.format not in KEY_FILE_FORMATS or (content.format == 1 and (content.keys or content.issuer_keys)):
        formats = " or ".join(map(str, KEY_FILE_FORMATS))
        raise KeyFileRefused(f"the key file {path} has format {content.format}, not {formats}, or more than it may")
    return content


def _issuer_keys(path: Path, content: _KeyFile) -> tuple[bytes, ...]:
    try:
        found = tuple(map(bytes.fromhex, content.issuer_keys))
    except ValueError:
        found = (b"",)
    if any(len(key) != PUBLIC_KEY_LENGTH for key in found):
        raise KeyFileRefused(f"the key file {path} has an issuer key that is not {2 * PUBLIC_KEY_LENGTH} hex digits")
    return found


def _masters(path: Path, content: _KeyFile) -> tuple[dict[int, bytes], dict[int, dict[int, bytes]]]:
    others: dict[int, dict[int, bytes]] = {}
    for number, versions in content.keys.items():
        if not number.isdecimal() or int(number) not in STATION_KEY_NUMBERS:
            raise KeyFileRefused(f"the key file {path} has a key number {number!r} that a station never holds")
        others[int(number)] = _versions(path, versions)
    return _versions(path, content.read_keys), others


def _versions(path: Path, texts: Mapping[str, str]) -> dict[int, bytes]:
    masters: dict[int, bytes] = {}
    for version, digits in texts.items():
        try:
            masters[int(version)] = bytes.fromhex(digits)
        except ValueError:
            raise KeyFileRefused(f"the key file {path} has a broken key {version!r}") from None
        if len(masters[int(version)]) != BLOCK or not 0 <= int(version) <= 0xFF:
            raise KeyFileRefused(f"the key file {path} has a key {version!r} of wrong length or version")
    return masters
