"""What a simulated card keeps without power, and its `.card` file.

A `.card` file is `CardState` as JSON, bytes as base64. It holds the card's keys, so it is written owner-only: these
are a simulation's keys, and people will still copy them. It is replaced whole or not at all, so that a program killed
at any moment leaves a valid card; a copy of the file put back is a card with an old state. Knows no command.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

import msgspec

FORMAT = 1
FREE, NEVER = 0x0E, 0x0F  # DESFire access rights that are no key numbers
KEY_LENGTH = 16
AS_DELIVERED = 0x0F  # key settings: all may be changed, listed and created without the master key

Mode: TypeAlias = Literal["plain", "mac", "full"]
MasterKind: TypeAlias = Literal["aes", "3des"]


class CardFileError(Exception):
    """A `.card` file that cannot be used; the text says which one and why, and nothing of what is in it."""


class Rights(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Who may do what with a file: four key numbers (0..13), FREE or NEVER.

    `more`: further sets, of which none may change rights; None where the file was made without room for them.
    """

    read: int = NEVER
    write: int = NEVER
    read_write: int = NEVER
    change: int = NEVER
    more: tuple[Rights, ...] | None = None

    def __post_init__(self) -> None:
        if not all(0 <= right <= NEVER for right in (self.read, self.write, self.read_write, self.change)):
            raise ValueError("an access right is 0 to 15")

    @classmethod
    def from_wire(cls, data: bytes) -> Rights:
        """From two bytes, low byte first: read, write, read and write, change, a nibble each from the top."""
        return cls(data[1] >> 4, data[1] & 0x0F, data[0] >> 4, data[0] & 0x0F)

    def keys(self, *names: Literal["read", "write", "read_write"]) -> tuple[int, ...]:
        """Who may do it by any of these rights, in any set."""
        return tuple(getattr(rights, name) for rights in (self, *(self.more or ())) for name in names)

    def to_wire(self) -> bytes:
        return bytes((self.read_write << 4 | self.change, self.read << 4 | self.write))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """What all files have: how their data travels, and who may use them."""

    name: ClassVar[str]

    mode: Mode
    rights: Rights

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.mode})"


class StandardFile(_File, tag="standard"):
    """Bytes that are written at once."""

    name = "standard"
    data: bytes


class BackupFile(_File, tag="backup"):
    """Bytes that are written by the commit."""

    name = "backup"
    data: bytes


class ValueFile(_File, tag="value"):
    """A number between two limits. `limited_credit`: what LimitedCredit may still give back of the latest debit."""

    name = "value"
    lower: int
    upper: int
    value: int
    limited_credit: int = 0
    limited_credit_enabled: bool = False
    free_reading: bool = False


class RecordFile(_File, tag="records"):
    """Records of one size, the oldest first. A cyclic file of `capacity` n keeps n - 1: one is room for the next."""

    name = "records"
    cyclic: bool
    size: int
    capacity: int
    records: list[bytes] = []

    @property
    def room(self) -> int:
        """How many records it can hold."""
        return self.capacity - 1 if self.cyclic else self.capacity


class MacFile(_File, tag="transaction_mac"):
    """The Transaction MAC: its key, its counter of commits, the latest value and the latest reader's id."""

    name = "transaction_mac"
    key: bytes
    key_version: int = 0
    counter: int = 0
    value: bytes = bytes(8)
    reader_id: bytes = bytes(16)


File: TypeAlias = StandardFile | BackupFile | ValueFile | RecordFile | MacFile


class KeyState(msgspec.Struct, forbid_unknown_fields=True):
    """One key and its version."""

    raw: bytes = bytes(KEY_LENGTH)
    version: int = 0

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_LENGTH or not 0 <= self.version <= 0xFF:
            raise ValueError(f"a key has {KEY_LENGTH} bytes and a version of one byte")

    def __repr__(self) -> str:
        return f"KeyState(version={self.version})"


class MasterKey(KeyState):
    """The key of the whole card: AES, or the two-key triple DES with which cards are delivered."""

    kind: MasterKind = "aes"


class Application(msgspec.Struct, forbid_unknown_fields=True):
    """One application: `aid` in the order of the wire, AES keys by number, files by number."""

    aid: bytes
    keys: list[KeyState]
    key_settings: int = AS_DELIVERED
    files: dict[int, File] = {}

    def __post_init__(self) -> None:
        if len(self.aid) != 3 or self.aid == bytes(3) or not 1 <= len(self.keys) <= 14:
            raise ValueError("an application has an AID of 3 bytes that is not zero, and 1 to 14 keys")

    def __repr__(self) -> str:
        return f"Application({self.aid.hex()}, {len(self.keys)} keys, files={sorted(self.files)})"

    @property
    def mac_file(self) -> MacFile | None:
        """The Transaction MAC file, if there is one: an application has at most one."""
        return next((file for file in self.files.values() if isinstance(file, MacFile)), None)


class CardState(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A whole card. `kind` "uid_only" has a UID of 4, 7 or 10 bytes and nothing else; a DESFire card's is 7."""

    format: int = FORMAT
    uid: bytes
    kind: Literal["desfire", "uid_only"] = "desfire"
    master: MasterKey = msgspec.field(default_factory=MasterKey)
    key_settings: int = AS_DELIVERED
    applications: list[Application] = []

    def __post_init__(self) -> None:
        lengths = (7,) if self.kind == "desfire" else (4, 7, 10)
        if len(self.uid) not in lengths:
            raise ValueError(f"the UID of a {self.kind} card has {' or '.join(map(str, lengths))} bytes")

    def __repr__(self) -> str:
        return f"CardState({self.kind}, uid=..{self.uid[-2:].hex()}, {self.applications})"

    def application(self, aid: bytes) -> Application | None:
        return next((application for application in self.applications if application.aid == aid), None)

    def copy(self) -> CardState:
        """Another card with the same content."""
        return msgspec.json.decode(msgspec.json.encode(self), type=CardState)


class _FirstFile(msgspec.Struct, forbid_unknown_fields=True):
    mode: Mode
    read_key: int
    data: bytes


class _FirstCard(msgspec.Struct, forbid_unknown_fields=True):
    """The files of the first simulated cards, which had no format number and one application of readable files."""

    uid: bytes
    kind: Literal["desfire", "uid_only"] = "desfire"
    aid: bytes = b""
    keys: dict[int, bytes] = {}
    key_versions: dict[int, int] = {}
    files: dict[int, _FirstFile] = {}

    def now(self) -> CardState:
        if self.kind == "uid_only":
            return CardState(uid=self.uid, kind=self.kind)
        keys = [
            KeyState(self.keys.get(number, bytes(KEY_LENGTH)), self.key_versions.get(number, 0))
            for number in range(max(self.keys, default=0) + 1)
        ]
        files: dict[int, File] = {
            number: StandardFile(file.mode, Rights(file.read_key), file.data) for number, file in self.files.items()
        }
        return CardState(uid=self.uid, applications=[Application(self.aid, keys, files=files)])


class _Head(msgspec.Struct):
    format: int = 0


def load(path: Path) -> CardState:
    """A card from its file. Raises CardFileError."""
    try:
        raw = path.read_bytes()
        number = msgspec.json.decode(raw, type=_Head).format
        if number > FORMAT:
            raise CardFileError(f"{path} has format {number}, this program knows {FORMAT}: use a newer version of it")
        if number == 0:
            return msgspec.json.decode(raw, type=_FirstCard).now()
        return msgspec.json.decode(raw, type=CardState)
    except OSError as error:
        raise CardFileError(f"the card {path} cannot be read ({error.strerror}); --new makes one") from None
    except (msgspec.MsgspecError, ValueError):
        # the cause is cut off on purpose: it may carry the file's text
        raise CardFileError(f"{path} is no card, or a broken one: put a copy back or make it anew") from None


def save(state: CardState, path: Path) -> None:
    """Writes the card's file whole or not at all, readable by its owner only. Raises OSError."""
    os.close(write(state, path))


def write(state: CardState, path: Path) -> int:
    """As `save`; gives the file, open and locked for whoever holds the card. Raises OSError."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(msgspec.json.format(msgspec.json.encode(state)))
        os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
