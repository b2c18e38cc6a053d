"""A card office's folder on disk: cards.toml, the vault, the log of what was done. One process at a time works in it.

    cards.toml    what the cards look like
    vault.json    all keys, under a passphrase
    log.jsonl     what was done to which card: whole card numbers, owner-only

A file of keys is written whole or not at all: a program killed at any moment leaves the old one or the new one.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from card_io.errors import KeyFileRefused
from card_io.keys import read_private
from card_io.vault import VAULT_BYTES_MAX, Vault, open_vault
from sync.hq.cards.log import Event, Register, decode, encode
from sync.hq.cards.network import Network, OfficeError, parse_network

NETWORK_FILE, VAULT_FILE, LOG_FILE = "cards.toml", "vault.json", "log.jsonl"
OWNER_ONLY = 0o600


class OfficeFolder:
    """The files of `folder`. Methods raise OfficeError, or a CardError for the vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def vault_path(self) -> Path:
        return self.folder / VAULT_FILE

    def network(self) -> Network:
        path = self.folder / NETWORK_FILE
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise OfficeError(
                f"{path} is not there: name the office's folder with --office, or make one with: forecourt keys init"
            ) from None
        except OSError as error:
            raise OfficeError(f"{path} cannot be read ({error.strerror})") from None
        return parse_network(text, str(path))

    def vault(self, passphrase: str) -> Vault:
        """The keys, opened. Takes some half a second. Raises VaultRefused, KeyFileRefused."""
        return open_vault(read_private(self.vault_path, VAULT_BYTES_MAX), passphrase)

    def check_free(self) -> None:
        """OfficeError if there is an office already: keys are never written over."""
        for name in (VAULT_FILE, NETWORK_FILE, LOG_FILE):
            if (self.folder / name).exists():
                raise OfficeError(f"{self.folder / name} is there already and was not touched: choose another folder")

    def make(self, network_text: str, sealed: bytes) -> None:
        """A new office. OfficeError if there is one."""
        self.check_free()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.vault_path, sealed)
            write_whole(self.folder / NETWORK_FILE, network_text.encode())
        except OSError as error:
            raise OfficeError(f"{self.folder} cannot be written ({error.strerror})") from None

    def put_vault(self, sealed: bytes) -> None:
        try:
            write_whole(self.vault_path, sealed)
        except OSError as error:
            raise OfficeError(f"{self.vault_path} was not changed ({error.strerror}): make room and repeat") from None

    def log(self) -> OfficeLog:
        return OfficeLog(self.folder / LOG_FILE)


class OfficeLog:
    """The log, open for one process. `register` is its state. Raises OfficeError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: IO[bytes] = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY), "r+b", 0)
        except OSError as error:
            raise OfficeError(f"{path} cannot be opened ({error.strerror})") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = self._file.read()
            self.register = Register(decode(data, str(path)))
            self._file.truncate(data.rfind(b"\n") + 1)  # a line that a power cut left half-written
        except BlockingIOError:
            self._file.close()
            raise OfficeError(f"another command works in {path.parent}: wait until it is done") from None
        except BaseException:
            self._file.close()
            raise

    def note(self, event: Event) -> None:
        """On disk when this returns."""
        try:
            self._file.write(encode(event))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OfficeError(f"{self._path} cannot be written ({error.strerror}): make room and start again") from None
        self.register.take(event)

    def close(self) -> None:
        self._file.close()


def write_whole(path: Path, data: bytes) -> None:
    """An owner-only file, replaced whole or not at all. OSError."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name too outlasts a power cut from here on
    finally:
        os.close(folder)


def passphrase_from(path: Path) -> str:
    """The first line of an owner-only file. Raises KeyFileRefused."""
    try:
        return read_private(path, 4096).decode().splitlines()[0]
    except (UnicodeDecodeError, IndexError):
        raise KeyFileRefused(f"{path} holds no passphrase") from None


def secret_from(path: Path) -> bytes:
    """A secret of 32 bytes from an owner-only file of hex digits. Raises KeyFileRefused."""
    try:
        secret = bytes.fromhex(read_private(path, 4096).decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise KeyFileRefused(f"{path} holds no list key: expected 64 hex digits")
    return secret
