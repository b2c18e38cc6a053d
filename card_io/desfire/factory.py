"""The key with which a card leaves the factory: two-key triple DES, all zeros, for the card itself and nothing else.

A session under it (authentication 1A) is an EV1 session in blocks of 8 bytes, and is used once, to put an AES key in
its place. Both halves of the key are the same, so that the session key is of single DES. Source: the public EV1
short data sheet and open-source card tools. The key is no secret; no other triple DES key is ever used.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from card_io.apdu import DESFIRE_MORE, DESFIRE_OK, Command
from card_io.desfire.channel import AUTHENTICATION_ERROR, accepted
from card_io.desfire.crypto import rotate_left, same
from card_io.desfire.ev1 import Ev1Channel
from card_io.errors import CardStatusError, ProofFailed
from card_io.session import Steps

AUTHENTICATE_ISO = 0x1A
AUTHENTICATE_SECOND = 0xAF
DES_BLOCK = 8


class DesKey:
    """One DES key of 8 bytes, as the triple DES of three equal parts."""

    def __init__(self, raw: bytes) -> None:
        self._des = TripleDES(raw * 3)

    def __repr__(self) -> str:
        return "DesKey(...)"

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        cipher = Cipher(self._des, modes.CBC(iv)).encryptor()
        return cipher.update(data) + cipher.finalize()

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        cipher = Cipher(self._des, modes.CBC(iv)).decryptor()
        return cipher.update(data) + cipher.finalize()


def authenticate_factory(rnd_a: bytes) -> Steps[Ev1Channel]:
    """With the factory's key, at the card's own level; `rnd_a` is 8 fresh random bytes. Errors as with AES."""
    if len(rnd_a) != DES_BLOCK:
        raise ValueError(f"RndA has {DES_BLOCK} bytes")
    key = DesKey(bytes(DES_BLOCK))
    first = yield Command.desfire(AUTHENTICATE_ISO, b"\0")
    if first.status != DESFIRE_MORE:
        accepted(first, "authentication with the factory's key")
        raise ProofFailed("the card's challenge is missing")
    if len(first.data) != DES_BLOCK:
        raise ProofFailed(f"the card's challenge has {len(first.data)} bytes, not {DES_BLOCK}")
    rnd_b = key.decrypt(first.data, bytes(DES_BLOCK))
    token = key.encrypt(rnd_a + rotate_left(rnd_b), first.data)
    second = yield Command.desfire(AUTHENTICATE_SECOND, token)
    if second.status == AUTHENTICATION_ERROR:
        raise ProofFailed("the card itself does not have the factory's key any more")
    if second.status != DESFIRE_OK:
        raise CardStatusError(second.status, "authentication with the factory's key")
    proof = second.data
    if len(proof) != DES_BLOCK or not same(key.decrypt(proof, token[-DES_BLOCK:]), rotate_left(rnd_a)):
        raise ProofFailed("the card's proof is wrong")
    return Ev1Channel(DesKey(rnd_a[:4] + rnd_b[:4]), DES_BLOCK)
