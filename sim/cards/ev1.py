"""EV1 secure messaging, the card's side: one IV that runs through every MAC and every encryption of a session.

After AuthenticateAES, or AuthenticateISO with a two-key triple DES key. Each command is added to a running CMAC, sent
along only where the mode is MAC; each answer carries its own; enciphered data carry a CRC32. Facts as other public
implementations show them (libfreefare, python-desfire).
"""

from __future__ import annotations

import zlib
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from card_io.desfire.crypto import BLOCK, MAC_LENGTH, AesKey, same
from sim.cards.state import Mode
from sim.cards.status import INTEGRITY, LENGTH, OK, Refused

CRC_LENGTH = 4
_DOUBLING = {16: 0x87, 8: 0x1B}  # SP 800-38B: the polynomials of blocks of 128 and 64 bits


class BlockCipher(Protocol):
    """A key of a block cipher, in CBC."""

    @property
    def block(self) -> int: ...

    def encrypt(self, data: bytes, iv: bytes) -> bytes: ...

    def decrypt(self, data: bytes, iv: bytes) -> bytes: ...


class AesCipher(AesKey):
    """AES-128."""

    __slots__ = ()
    block = BLOCK


class TripleDesCipher:
    """Two-key triple DES: 16 bytes; with both halves alike it is single DES."""

    block = 8

    def __init__(self, raw: bytes) -> None:
        self._des = TripleDES(raw + raw[:8])

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        cipher = Cipher(self._des, modes.CBC(iv)).encryptor()
        return cipher.update(data) + cipher.finalize()

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        cipher = Cipher(self._des, modes.CBC(iv)).decryptor()
        return cipher.update(data) + cipher.finalize()


def aes_session_key(rnd_a: bytes, rnd_b: bytes) -> AesCipher:
    return AesCipher(rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:])


def triple_des_session_key(raw: bytes, rnd_a: bytes, rnd_b: bytes) -> TripleDesCipher:
    """`raw` is the key that authenticated: one that is single DES makes a session of single DES."""
    first, second = (bytes(byte & 0xFE for byte in half) for half in (raw[:8], raw[8:]))  # without the parity bits
    mixed = rnd_a[:4] + rnd_b[:4]
    return TripleDesCipher(mixed + (mixed if first == second else rnd_a[4:] + rnd_b[4:]))


def crc32(data: bytes) -> bytes:
    """DESFire's CRC32: the usual one without its last inversion, low byte first."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(CRC_LENGTH, "little")


class Ev1Session:
    """One EV1 session: a session key and the IV that is the last block of whatever went through it."""

    def __init__(self, key_number: int, cipher: BlockCipher) -> None:
        self.key_number = key_number
        self._cipher = cipher
        self._iv = bytes(cipher.block)
        self._whole, self._filled = _subkeys(cipher)

    def length(self, header: int, body: int | None, mode: Mode) -> int:
        if body is None or mode == "plain":
            return header + (body or 0)
        if mode == "mac":
            return header + body + MAC_LENGTH
        return header + self._filled_up(body + CRC_LENGTH)

    def opened(self, ins: int, data: bytes, header: int, body: int | None, mode: Mode, *, tail: int = 0) -> bytes:
        # the tail stands behind the check sum, and is filled up with it
        if len(data) != self.length(header, body if body is None else body + tail, mode):
            raise Refused(LENGTH)
        command = bytes((ins,))
        if body is None or mode == "plain":
            self._cmac(command + data)
            return data
        if mode == "mac":
            message, mac = data[:-MAC_LENGTH], data[-MAC_LENGTH:]
            if not same(mac, self._cmac(command + message)[:MAC_LENGTH]):
                raise Refused(INTEGRITY)
            return message
        plain = self._cipher.decrypt(data[header:], self._iv)
        self._iv = data[-self._cipher.block :]
        content, rest = data[:header] + plain[:body], plain[body:]
        tail_end = CRC_LENGTH + tail
        if not same(rest[:CRC_LENGTH], crc32(command + content)) or any(rest[tail_end:]):
            raise Refused(INTEGRITY)
        return content + rest[CRC_LENGTH:tail_end]

    def sealed(self, data: bytes, mode: Mode, *, unknown_length: bool = False) -> bytes:
        status = bytes((OK,))
        if mode != "full" or not data:
            return data + self._cmac(data + status)[:MAC_LENGTH]
        plain = data + crc32(data + status)
        plain = self._fill(plain + b"\x80" if unknown_length else plain)
        sealed = self._cipher.encrypt(plain, self._iv)
        self._iv = sealed[-self._cipher.block :]
        return sealed

    def _cmac(self, message: bytes) -> bytes:
        """CMAC from the running IV, which becomes the MAC."""
        block = self._cipher.block
        subkey = self._whole
        if not message or len(message) % block:
            message, subkey = self._fill(message + b"\x80"), self._filled
        last = bytes(a ^ b for a, b in zip(message[-block:], subkey, strict=True))
        self._iv = self._cipher.encrypt(message[:-block] + last, self._iv)[-block:]
        return self._iv

    def _fill(self, data: bytes) -> bytes:
        return data.ljust(self._filled_up(len(data)), b"\0")

    def _filled_up(self, length: int) -> int:
        block = self._cipher.block
        return -(-length // block) * block


def _subkeys(cipher: BlockCipher) -> tuple[bytes, bytes]:
    """CMAC's subkeys for a whole and for a filled last block."""
    first = _double(cipher.encrypt(bytes(cipher.block), bytes(cipher.block)))
    return first, _double(first)


def _double(block: bytes) -> bytes:
    bits = 8 * len(block)
    value = int.from_bytes(block, "big") << 1
    if value >> bits:
        value = value & ((1 << bits) - 1) ^ _DOUBLING[len(block)]
    return value.to_bytes(len(block), "big")
