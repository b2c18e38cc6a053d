"""A station's secret files: made once, readable by their owner only, checked each time they are read.

A station starts by itself after a power cut, so these files have no passphrase; their folder is what protects them.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

STATION_KEY = "station.key"
"""Ed25519, signs what is sent to headquarters."""
LIST_KEY = "list.key"
"""The secret of the keyed hashes by which cards and plates are looked up."""
CARD_KEYS = "cards.json"
"""Read keys of the network's cards."""
HEADQUARTERS_PUBLIC = "headquarters.pub"
"""By which lists and codes are signed: the public half, in hex."""
SECRET_BYTES = 32
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(Exception):
    """A key file is missing, damaged or open to others; the text says which and what to do."""


def write_secret(path: Path, text: str) -> None:
    """A new file for its owner only. FileExistsError if there is one: a secret is never written over."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> str:
    """The file's text. KeyFileError if it is not there, is empty, or others could read it."""
    try:
        mode = path.stat().st_mode
        if mode & OTHERS_MAY:
            raise KeyFileError(f"{path} can be read by others than its owner: chmod 600 {path}")
        text = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError as error:
        raise KeyFileError(
            f"{path} holds no key: expected plain letters and digits. Put back the file's copy"
        ) from error
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read ({error.strerror}): put back its copy, or make a new station with: "
            "forecourt station init DIR"
        ) from error
    if not text:
        # An empty till token would let in everybody who sends none.
        raise KeyFileError(f"{path} is empty: put back the file's copy")
    return text


def read_hex(path: Path, size: int) -> bytes:
    """A secret of `size` bytes, written as hex digits."""
    try:
        secret = bytes.fromhex(read_secret(path))
    except ValueError as error:
        raise KeyFileError(f"{path} holds no key: expected {2 * size} hex digits. Put back the file's copy") from error
    if len(secret) != size:
        raise KeyFileError(f"{path} holds {len(secret)} bytes, expected {size}: put back the file's copy")
    return secret


def read_public(path: Path) -> bytes:
    """A public key, written as hex digits. KeyFileError."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError) as error:
        raise KeyFileError(f"{path} holds no key: copy it from headquarters again") from error
    if len(key) != SECRET_BYTES:
        raise KeyFileError(f"{path} holds {len(key)} bytes, expected {SECRET_BYTES}: copy it from headquarters again")
    return key


def station_key(folder: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(read_hex(folder / STATION_KEY, SECRET_BYTES))


def list_key(folder: Path) -> bytes:
    return read_hex(folder / LIST_KEY, SECRET_BYTES)


class TillTokens:
    """Who speaks: the till of a bearer token. Keeps digests only."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """`tokens`: token by till."""
        self._tills = {hashlib.sha256(token.encode()).digest(): till for till, token in tokens.items()}

    def till_of(self, token: str) -> str | None:
        digest = hashlib.sha256(token.encode()).digest()
        for known, till in self._tills.items():
            if hmac.compare_digest(known, digest):
                return till
        return None
