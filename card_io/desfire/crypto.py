"""The AES arithmetic of DESFire: diversified keys, EV2 session keys, MACs and initial vectors.

Pure functions over bytes. Sources, all public: NXP AN10922 (key diversification), AN12343 and AN12196 (EV2 secure
messaging), NIST SP 800-38B (CMAC). This file knows no command and no card. A key never shows in a repr.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK = 16
ZERO_IV = bytes(BLOCK)
_SINGLE_BLOCKS = modes.ECB()
MAC_LENGTH = 8
DIVERSIFICATION_MAX = 31  # AN10922: with the leading 01, two AES blocks


class CardKey(Protocol):
    """An AES-128 key that can be used and need not be seen: in memory, or in a SAM that keeps it."""

    def encrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """AES-CBC of whole 16-byte blocks."""

    def decrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """AES-CBC of whole 16-byte blocks, back."""

    def cmac(self, data: bytes) -> bytes:
        """The whole 16 bytes of AES-CMAC."""


class AesKey:
    """An AES-128 key in memory, for one thread at a time.

    To set up a cipher of the library takes some 12 us, and to use it less than one: so each is set up once, where it
    is first used. They are made for single blocks (ECB), because only such a cipher can be used again; the chaining of
    blocks is done here.
    """

    __slots__ = ("_aes", "_backward", "_forward", "_mac")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != BLOCK:
            raise ValueError(f"an AES-128 key has 16 bytes, not {len(raw)}")
        self._aes = algorithms.AES(raw)
        self._forward: CipherContext | None = None
        self._backward: CipherContext | None = None
        self._mac: CMAC | None = None
        """Without a message: it is copied for each."""

    def __repr__(self) -> str:
        return "AesKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")

    def encrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        _whole_blocks(data, iv)
        if self._forward is None:
            self._forward = Cipher(self._aes, _SINGLE_BLOCKS).encryptor()
        if len(data) == BLOCK:
            return self._forward.update(data if iv is ZERO_IV else _xor(data, iv))
        blocks = [iv]
        for at in range(0, len(data), BLOCK):
            blocks.append(self._forward.update(_xor(data[at : at + BLOCK], blocks[-1])))
        return b"".join(blocks[1:])

    def decrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        _whole_blocks(data, iv)
        if self._backward is None:
            self._backward = Cipher(self._aes, _SINGLE_BLOCKS).decryptor()
        return _xor(self._backward.update(data), (iv + data)[: len(data)])

    def cmac(self, data: bytes) -> bytes:
        if self._mac is None:
            self._mac = CMAC(self._aes)
        mac = self._mac.copy()
        mac.update(data)
        return mac.finalize()


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The two keys of one EV2 session."""

    enc: AesKey
    mac: AesKey

    def set_up(self) -> SessionKeys:
        """Now, and not at the first use of each: for whoever has the time."""
        self.enc.decrypt(self.enc.encrypt(ZERO_IV))
        self.mac.cmac(b"")
        return self


def cmac_subkeys(key: CardKey) -> tuple[bytes, bytes]:
    """K1 (whole last block) and K2 (padded last block) of CMAC, SP 800-38B section 6.1."""
    first = _double(key.encrypt(bytes(BLOCK)))
    return first, _double(first)


def diversify_raw(master: CardKey, diversification: bytes) -> bytes:
    """AN10922 AES-128: the 16 bytes of a card's own key. `diversification` is 1 to 31 bytes.

    CMAC of 01 and the input, but a short message is filled to two blocks as well, where CMAC would stop at one.
    """
    if not 1 <= len(diversification) <= DIVERSIFICATION_MAX:
        raise ValueError(f"a diversification input has 1 to 31 bytes, not {len(diversification)}")
    message = b"\x01" + diversification
    if len(message) > BLOCK:
        return master.cmac(message)
    _, padded = cmac_subkeys(master)
    message = (message + b"\x80").ljust(2 * BLOCK, b"\0")
    return master.encrypt(message[:BLOCK] + _xor(message[BLOCK:], padded))[-BLOCK:]


def diversify(master: CardKey, diversification: bytes) -> AesKey:
    """As `diversify_raw`, as a key."""
    return AesKey(diversify_raw(master, diversification))


def session_keys(key: CardKey, rnd_a: bytes, rnd_b: bytes) -> SessionKeys:
    """The keys of an EV2 session from both 16-byte random numbers (AN12343, session vectors SV1 and SV2), set up."""
    mixed = rnd_a[:2] + _xor(rnd_a[2:8], rnd_b[:6]) + rnd_b[6:] + rnd_a[8:]
    tail = b"\x00\x01\x00\x80" + mixed
    return SessionKeys(AesKey(key.cmac(b"\xa5\x5a" + tail)), AesKey(key.cmac(b"\x5a\xa5" + tail))).set_up()


def short_mac(key: CardKey, message: bytes) -> bytes:
    """EV2's 8-byte MAC: every second byte of the CMAC, beginning with the second."""
    return key.cmac(message)[1::2]


def command_iv(enc: CardKey, transaction: bytes, counter: int) -> bytes:
    """The IV of a command's encrypted data; `transaction` is the 4-byte TI, `counter` the command's."""
    return enc.encrypt((b"\xa5\x5a" + transaction + counter.to_bytes(2, "little")).ljust(BLOCK, b"\0"))


def response_iv(enc: CardKey, transaction: bytes, counter: int) -> bytes:
    """The IV of an answer's encrypted data; `counter` is the command's counter plus one."""
    return enc.encrypt((b"\x5a\xa5" + transaction + counter.to_bytes(2, "little")).ljust(BLOCK, b"\0"))


def pad(data: bytes) -> bytes:
    """ISO 9797-1 method 2: 80 and zeros up to whole blocks, at least one byte."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def unpad(data: bytes) -> bytes:
    """`pad` back. Raises ValueError when the padding isn't one."""
    body, mark, zeros = data.rpartition(b"\x80")
    if not mark or any(zeros) or len(zeros) >= BLOCK:
        raise ValueError("the padding is broken")
    return body


def rotate_left(data: bytes) -> bytes:
    """By one byte: how both sides show that they could read the other's random number."""
    return data[1:] + data[:1]


def same(left: bytes, right: bytes) -> bool:
    """Equal, in constant time."""
    return hmac.compare_digest(left, right)


def _double(block: bytes) -> bytes:
    value = int.from_bytes(block, "big") << 1
    if value >> 128:
        value = (value & ((1 << 128) - 1)) ^ 0x87
    return value.to_bytes(BLOCK, "big")


def _xor(left: bytes, right: bytes) -> bytes:
    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} bytes cannot be joined")
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _whole_blocks(data: bytes, iv: bytes) -> None:
    if len(data) % BLOCK or len(iv) != BLOCK:
        raise ValueError(f"expected whole blocks of {BLOCK} bytes and an initial vector of one, not {len(data)} bytes")
