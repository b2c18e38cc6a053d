"""Headquarters' card keys: all masters by number and version and the key that signs entitlements, under a passphrase.

The file is JSON: its format's number, scrypt's parameters and salt, a nonce, and the keys encrypted by AES-256-GCM;
all of the head is authenticated with them, so nothing can be swapped. A lost passphrase is a lost vault: there is no
other way in. Bytes in, bytes out: who reads and writes the file is elsewhere. Keys never show in a repr or an error.

A card office with a SAM in place of the vault needs `IssuerKeys` only for what the vault alone can do: ChangeKey's
blocks hold key bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from card_io.application import CARD_KEY_NUMBER, TRANSACTION_MAC_KEY_NUMBER
from card_io.desfire.administration import PlainKey
from card_io.desfire.crypto import BLOCK, AesKey, CardKey, diversify_raw
from card_io.errors import KeyMissing, VaultRefused
from card_io.keys import STATION_KEY_NUMBERS, KeyRing
from card_io.layout import KEY_COUNT

VAULT_FORMAT = 1
VAULT_BYTES_MAX = 256 * 1024
PASSPHRASE_MIN = 12
SCRYPT_COST = 17  # N is 2^17: 128 MiB and some half a second for each guess
KEY_NUMBERS = (*range(KEY_COUNT), TRANSACTION_MAC_KEY_NUMBER, CARD_KEY_NUMBER)

_COSTS = range(12, 21)  # 2^20 takes 1 GiB: more would only hang whoever opens a foreign file
_R, _P = 8, 1
_FINGERPRINT_LABEL, _FINGERPRINT_LENGTH = b"forecourt key fingerprint", 4
_SALT_LENGTH, _NONCE_LENGTH, _KEY_LENGTH = 16, 12, 32

RandomBytes = Callable[[int], bytes]


class IssuerKeys(Protocol):
    """What personalisation needs: keys to use, and keys to put on cards."""

    def card_key(self, number: int, version: int, diversification: bytes) -> CardKey:
        """See KeyStore."""

    def new_key(self, number: int, version: int, diversification: bytes) -> PlainKey:
        """One card's key, to be put on it. Raises KeyMissing."""


class Vault(KeyRing):
    """All of a network's keys, opened. `signing` is the 32-byte seed of the Ed25519 key for entitlements."""

    def __init__(self, masters: Mapping[int, Mapping[int, bytes]], signing: bytes) -> None:
        super().__init__({}, masters)
        self._signing_seed = signing
        self._signing = Ed25519PrivateKey.from_private_bytes(signing)

    @classmethod
    def make(cls, random_bytes: RandomBytes, version: int = 1) -> Vault:
        """A new network's keys, all of one version (1..255: a card as it is delivered says 0)."""
        if not 1 <= version <= 0xFF:
            raise ValueError("a version is 1 to 255: 0 is what a card says whose keys were never changed")
        return cls({number: {version: random_bytes(BLOCK)} for number in KEY_NUMBERS}, random_bytes(_KEY_LENGTH))

    def with_version(self, version: int, random_bytes: RandomBytes) -> Vault:
        """With new application keys of this version beside the old ones, for cards to be rotated to.

        The Transaction MAC key stays: a card's file of it cannot be rotated without losing its count of commits.
        """
        if not 1 <= version <= 0xFF or any(version in self._others.get(number, {}) for number in range(KEY_COUNT)):
            raise ValueError(f"version {version} is there already, or is not 1 to 255")
        masters = {number: dict(versions) for number, versions in self._others.items()}
        for number in range(KEY_COUNT):
            masters.setdefault(number, {})[version] = random_bytes(BLOCK)
        return Vault(masters, self._signing_seed)

    @property
    def version(self) -> int:
        """The newest version of the application's keys."""
        return max(self._others[0])

    def newest(self, number: int) -> int:
        """The newest version of one key. Raises KeyMissing."""
        if not self._others.get(number):
            raise KeyMissing(f"the vault has no key {number}")
        return max(self._others[number])

    @property
    def public_key(self) -> bytes:
        """What stations check entitlements with, 32 bytes."""
        return self._signing.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """See entitlement.Signer."""
        return self._signing.sign(message)

    def new_key(self, number: int, version: int, diversification: bytes) -> PlainKey:
        """See IssuerKeys."""
        master = self._others.get(number, {}).get(version)
        if master is None:
            raise KeyMissing(f"the vault has no key {number} of version {version}")
        return PlainKey(diversify_raw(AesKey(master), diversification))

    def for_station(self, *numbers: int) -> dict[str, dict[str, str]]:
        """The `keys` of a station's key file, all versions of these numbers, as hex.

        Raises ValueError for a key that no station may have.
        """
        if strange := set(numbers) - STATION_KEY_NUMBERS:
            raise ValueError(f"key {min(strange)} never leaves headquarters")
        return self._as_hex(*numbers)

    def fingerprints(self) -> dict[int, dict[int, str]]:
        """By number and version: what two people can compare by telephone. Nothing of a key can be found from it."""
        return {
            number: {version: _fingerprint(master) for version, master in sorted(versions.items())}
            for number, versions in sorted(self._others.items())
            if versions
        }

    def _as_hex(self, *numbers: int) -> dict[str, dict[str, str]]:
        return {
            str(number): {str(version): master.hex() for version, master in self._others[number].items()}
            for number in numbers
        }

    def sealed(self, passphrase: str, random_bytes: RandomBytes, cost: int = SCRYPT_COST) -> bytes:
        """The file. Raises ValueError for a passphrase of fewer than 12 characters."""
        if len(passphrase) < PASSPHRASE_MIN:
            raise ValueError(f"a passphrase has at least {PASSPHRASE_MIN} characters")
        head = _Head(VAULT_FORMAT, cost, random_bytes(_SALT_LENGTH), random_bytes(_NONCE_LENGTH))
        masters = {str(number): versions for number, versions in self._as_hex(*self._others).items()}
        plain = msgspec.json.encode(
            _Content({int(number): keys for number, keys in masters.items()}, self._signing_seed)
        )
        sealed = AESGCM(_key(passphrase, head)).encrypt(head.nonce, plain, _bound(head))
        return msgspec.json.format(msgspec.json.encode(_File(head, sealed))) + b"\n"


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    scrypt_cost: int
    salt: bytes
    nonce: bytes


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    forecourt_card_keys: _Head
    sealed: bytes


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    masters: dict[int, dict[str, str]]
    signing: bytes

    def __repr__(self) -> str:
        return "_Content(...)"


def open_vault(data: bytes, passphrase: str) -> Vault:
    """The vault from its file. Takes as long as one guess should. Raises VaultRefused."""
    # causes are cut off on purpose: they would carry the file's text
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise VaultRefused("the file of headquarters' card keys is not the JSON that it should be") from None
    if msgspec.json.format(data, indent=-1) != msgspec.json.encode(file):
        # such as the last bits of a base64 text, which its reader ignores
        raise VaultRefused("the file of headquarters' card keys is not as it was written")
    head = file.forecourt_card_keys
    if head.format != VAULT_FORMAT:
        raise VaultRefused(f"the file of card keys has format {head.format}, this program reads {VAULT_FORMAT}")
    if head.scrypt_cost not in _COSTS or len(head.salt) != _SALT_LENGTH or len(head.nonce) != _NONCE_LENGTH:
        raise VaultRefused("the head of the file of card keys is broken")
    try:
        plain = AESGCM(_key(passphrase, head)).decrypt(head.nonce, file.sealed, _bound(head))
        content = msgspec.json.decode(plain, type=_Content)
        masters = {
            number: {int(version): bytes.fromhex(digits) for version, digits in versions.items()}
            for number, versions in content.masters.items()
        }
        return Vault(masters, content.signing)
    except (InvalidTag, msgspec.MsgspecError, ValueError):
        raise VaultRefused("the passphrase is wrong, or the file of card keys was changed") from None


def _fingerprint(master: bytes) -> str:
    return AesKey(master).cmac(_FINGERPRINT_LABEL)[:_FINGERPRINT_LENGTH].hex()


def _key(passphrase: str, head: _Head) -> bytes:
    return Scrypt(salt=head.salt, length=_KEY_LENGTH, n=1 << head.scrypt_cost, r=_R, p=_P).derive(passphrase.encode())


def _bound(head: _Head) -> bytes:
    return b"forecourt card keys" + msgspec.json.encode(head)
