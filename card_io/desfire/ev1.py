"""EV1 secure messaging: the fallback for cards that know no EV2, with AES keys (authentication AA).

One session key and one initial vector that runs through the whole session:

    AA | key number               ->  E(K, RndB)            91AF
    AF | E(K, RndA | RndB')       ->  E(K, RndA')           9100     each E goes on from the last encrypted block
    session key = RndA[0..3] | RndB[0..3] | RndA[12..15] | RndB[12..15]

Each command and each answer moves the vector: a readable one to its CMAC over Cmd | data or data | status, of which
the first 8 bytes go behind data in MAC mode and behind every answer; an encrypted one to its last block, and holds
data | CRC-32 | zeros, the CRC over Cmd | header | data or data | status. With the factory's triple DES key of a
whole card (authentication 1A) all is the same in blocks of 8 bytes: `desfire.factory`. Sources: the public EV1 short
data sheet and the printed exchanges of open-source readers. Knows no application, file layout or key store.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from card_io.apdu import DESFIRE_MORE, DESFIRE_OK, Command
from card_io.desfire.channel import AUTHENTICATION_ERROR, Call, Mode, accepted, exchange_long
from card_io.desfire.crypto import BLOCK, MAC_LENGTH, AesKey, CardKey, rotate_left, same
from card_io.errors import CardStatusError, ProofFailed
from card_io.session import Steps

AUTHENTICATE_AES = 0xAA
AUTHENTICATE_SECOND = 0xAF

_CRC_LENGTH = 4
_POLYNOMIALS = {16: 0x87, 8: 0x1B}
_OK_STATUS = b"\x00"


class SessionCipher(Protocol):
    """A session key: a block cipher in CBC, by AES or, with a factory key, by DES."""

    def encrypt(self, data: bytes, iv: bytes) -> bytes: ...

    def decrypt(self, data: bytes, iv: bytes) -> bytes: ...


class Ev1Channel:
    """An authenticated EV1 session under one session key, of blocks of 16 bytes or, by DES, of 8."""

    knows_ev2 = False

    def __init__(self, key: SessionCipher, block: int = BLOCK) -> None:
        self._key = key
        self._block = block
        self._iv = bytes(block)
        self._whole = _double(key.encrypt(bytes(block), bytes(block)))
        self._padded = _double(self._whole)
        self._open = True

    def call(self, call: Call) -> Steps[bytes]:
        """See Channel."""
        if not self._open:
            raise RuntimeError("the secure channel has ended: authenticate again")
        self._open = False  # until the answer is proven
        ins = call.ins if call.ev1_ins is None else call.ev1_ins
        plain = bytes((ins,)) + call.header + call.data
        if call.mode is Mode.FULL and call.data:
            data = self._encrypted(call.data + crc32(plain) + call.check)
        else:
            mac = self._cmac(plain)
            data = call.data + (mac[:MAC_LENGTH] if call.mode is Mode.MAC and call.data else b"")
        response = yield from exchange_long(ins, call.header + data)
        answer = accepted(response, call.doing)
        if call.ends_session:
            if answer:
                raise ProofFailed("the card answered more than it could in a session that it had ended")
            return b""
        answer = self._decrypted(answer, call) if call.answer is Mode.FULL else self._proven(answer)
        self._open = True
        return answer

    def _proven(self, answer: bytes) -> bytes:
        data, mac = answer[:-MAC_LENGTH], answer[-MAC_LENGTH:]
        if not same(mac, self._cmac(data + _OK_STATUS)[:MAC_LENGTH]):
            raise ProofFailed("the card's answer carries a wrong MAC")
        return data

    def _encrypted(self, data: bytes) -> bytes:
        data = self._key.encrypt(data + bytes(-len(data) % self._block), self._iv)
        self._iv = data[-self._block :]
        return data

    def _decrypted(self, data: bytes, call: Call) -> bytes:
        length = call.answer_length
        if length is None:
            raise ValueError("EV1 needs to know how long an encrypted answer is")
        whole = length + _CRC_LENGTH
        if len(data) != whole + -whole % self._block:
            raise ProofFailed(f"encrypted data of {len(data)} bytes came back")
        plain = self._key.decrypt(data, self._iv)
        self._iv = data[-self._block :]
        answer = plain[:length]
        if not same(plain[length:], crc32(answer + _OK_STATUS).ljust(len(plain) - length, b"\0")):
            raise ProofFailed("the card's encrypted answer cannot be read")
        return answer

    def _cmac(self, message: bytes) -> bytes:
        """CMAC that begins with the running vector instead of zeros, and becomes it."""
        subkey = self._whole
        if len(message) % self._block:
            subkey = self._padded
            message = (message + b"\x80") + bytes(-(len(message) + 1) % self._block)
        last = bytes(a ^ b for a, b in zip(message[-self._block :], subkey, strict=True))
        self._iv = self._key.encrypt(message[: -self._block] + last, self._iv)[-self._block :]
        return self._iv


def authenticate_ev1(key: CardKey, key_number: int, rnd_a: bytes) -> Steps[Ev1Channel]:
    """As `authenticate_ev2_first`, for a card of the first generation."""
    if len(rnd_a) != BLOCK:
        raise ValueError("RndA has 16 bytes")
    doing = f"authentication with key {key_number}"
    first = yield Command.desfire(AUTHENTICATE_AES, bytes((key_number,)))
    if first.status != DESFIRE_MORE:
        raise CardStatusError(first.status, doing)
    if len(first.data) != BLOCK:
        raise ProofFailed(f"the card's challenge has {len(first.data)} bytes, not {BLOCK}")
    rnd_b = key.decrypt(first.data)
    token = key.encrypt(rnd_a + rotate_left(rnd_b), first.data)
    second = yield Command.desfire(AUTHENTICATE_SECOND, token)
    if second.status == AUTHENTICATION_ERROR:
        raise ProofFailed("the card does not hold the key that belongs to its UID")
    if second.status != DESFIRE_OK:
        raise CardStatusError(second.status, doing)
    if len(second.data) != BLOCK or not same(key.decrypt(second.data, token[-BLOCK:]), rotate_left(rnd_a)):
        raise ProofFailed("the card's proof is wrong")
    return Ev1Channel(ev1_session_key(rnd_a, rnd_b))


def ev1_session_key(rnd_a: bytes, rnd_b: bytes) -> AesKey:
    """The one key of an EV1 session, of both 16-byte random numbers."""
    return AesKey(rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:])


def _double(block: bytes) -> bytes:
    """The next subkey of CMAC, SP 800-38B section 6.1."""
    bits = 8 * len(block)
    value = int.from_bytes(block, "big") << 1
    if value >> bits:
        value = (value & ((1 << bits) - 1)) ^ _POLYNOMIALS[len(block)]
    return value.to_bytes(len(block), "big")


def crc32(data: bytes) -> bytes:
    """DESFire's CRC-32, low byte first: that of IEEE 802.3 without the complement at its end."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(_CRC_LENGTH, "little")
