"""What a simulated card holds, and its `.card` file.

A `.card` file is this struct as JSON, bytes as base64. It holds the card's keys, so it is written owner-only: these
are a simulation's keys, and people will still copy them. Knows no command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

FREE, NEVER = 0x0E, 0x0F  # DESFire access rights that are no key numbers


class FileState(msgspec.Struct, forbid_unknown_fields=True):
    """One data file: how it is read, with which key (0..13, FREE, NEVER), and its bytes."""

    mode: Literal["plain", "mac", "full"]
    read_key: int
    data: bytes

    def __repr__(self) -> str:
        return f"FileState({self.mode}, {len(self.data)} bytes)"


class CardState(msgspec.Struct, forbid_unknown_fields=True):
    """A whole card. `kind` "uid_only" has a UID and nothing else; `aid` is in the order of the wire."""

    uid: bytes
    kind: Literal["desfire", "uid_only"] = "desfire"
    aid: bytes = b""
    keys: dict[int, bytes] = {}
    key_versions: dict[int, int] = {}
    files: dict[int, FileState] = {}

    def __repr__(self) -> str:
        return f"CardState({self.kind}, uid=..{self.uid[-2:].hex()}, files={sorted(self.files)})"


def load(path: Path) -> CardState:
    """A card from its file. Raises OSError, and msgspec.DecodeError for what is no card."""
    return msgspec.json.decode(path.read_bytes(), type=CardState)


def save(state: CardState, path: Path) -> None:
    """Writes the card's file whole or not at all, readable by its owner only."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)))
    part.replace(path)
