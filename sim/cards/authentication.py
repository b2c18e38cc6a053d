"""How a session begins: AuthenticateISO (1A), AuthenticateAES (AA), AuthenticateEV2First (71) and NonFirst (77).

In each, the card draws RndB and shows it enciphered; the reader answers with its own RndA and RndB turned by a byte;
the card proves itself with RndA turned. EV1 runs all three through one IV, EV2 begins each with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_io.desfire.crypto import BLOCK, AesKey, rotate_left, same, session_keys
from sim.cards.chip import Chip
from sim.cards.ev1 import AesCipher, BlockCipher, Ev1Session, TripleDesCipher, aes_session_key, triple_des_session_key
from sim.cards.ev2 import Ev2Session
from sim.cards.state import KeyState, MasterKey
from sim.cards.status import AUTHENTICATION, LENGTH, Refused

CAPABILITIES = 6  # bytes, of card and of reader each


@dataclass(frozen=True)
class _Ev1Handshake:
    number: int
    raw: bytes
    cipher: BlockCipher
    rnd_b: bytes
    iv: bytes

    def finish(self, chip: Chip, data: bytes) -> bytes:
        size = len(self.rnd_b)
        rnd_a = _rnd_a(self.cipher.decrypt(data, self.iv) if len(data) == 2 * size else b"", self.rnd_b)
        key = (
            triple_des_session_key(self.raw, rnd_a, self.rnd_b)
            if isinstance(self.cipher, TripleDesCipher)
            else aes_session_key(rnd_a, self.rnd_b)
        )
        chip.session = Ev1Session(self.number, key)
        return self.cipher.encrypt(rotate_left(rnd_a), data[-self.cipher.block :])


@dataclass(frozen=True)
class _Ev2Handshake:
    """`before`: the session that a NonFirst goes on with; without it, `capabilities` are the reader's."""

    number: int
    key: AesKey
    rnd_b: bytes
    before: Ev2Session | None = None
    capabilities: bytes = b""

    def finish(self, chip: Chip, data: bytes) -> bytes:
        rnd_a = _rnd_a(self.key.decrypt(data) if len(data) == 2 * BLOCK else b"", self.rnd_b)
        keys = session_keys(self.key, rnd_a, self.rnd_b)
        if self.before is not None:
            chip.session = Ev2Session(self.number, keys, self.before.transaction, self.before.counter)
            return self.key.encrypt(rotate_left(rnd_a))
        transaction = chip.random(4)
        chip.session = Ev2Session(self.number, keys, transaction)
        capabilities = bytes(CAPABILITIES) + self.capabilities.ljust(CAPABILITIES, b"\0")
        return self.key.encrypt(transaction + rotate_left(rnd_a) + capabilities)


def _rnd_a(plain: bytes, rnd_b: bytes) -> bytes:
    """RndA, if RndB came back turned. Raises Refused."""
    size = len(rnd_b)
    if len(plain) != 2 * size:
        raise Refused(LENGTH)
    if not same(plain[size:], rotate_left(rnd_b)):
        raise Refused(AUTHENTICATION)
    return plain[:size]


def authenticate_iso(chip: Chip, data: bytes) -> bytes:
    """1A | key number: with a triple DES key, which only a card as delivered has, for the whole card."""
    number = _number(chip, data)
    key = _key(chip, number)
    if not isinstance(key, MasterKey) or key.kind != "3des":
        raise Refused(AUTHENTICATION)
    return _begin_ev1(chip, number, key, TripleDesCipher(key.raw))


def authenticate_aes(chip: Chip, data: bytes) -> bytes:
    """AA | key number."""
    number = _number(chip, data)
    key = _aes_key(chip, number)
    return _begin_ev1(chip, number, key, AesCipher(key.raw))


def authenticate_ev2_first(chip: Chip, data: bytes) -> bytes:
    """71 | key number | length of the reader's capabilities | these. A transaction that waited is over."""
    if len(data) < 2 or len(data) != 2 + data[1] or data[1] > CAPABILITIES:
        raise Refused(LENGTH)
    key = AesKey(_aes_key(chip, data[0]).raw)
    chip.forget()
    rnd_b = chip.random(BLOCK)
    chip.handshake = _Ev2Handshake(data[0], key, rnd_b, capabilities=data[2:])
    return key.encrypt(rnd_b)


def authenticate_ev2_non_first(chip: Chip, data: bytes) -> bytes:
    """77 | key number: another key in the same session; transaction, TI and counter go on."""
    number = _number(chip, data)
    before = chip.session
    if not isinstance(before, Ev2Session):
        raise Refused(AUTHENTICATION)
    key = AesKey(_aes_key(chip, number).raw)
    rnd_b = chip.random(BLOCK)
    chip.session, chip.handshake = None, _Ev2Handshake(number, key, rnd_b, before)
    return key.encrypt(rnd_b)


def _begin_ev1(chip: Chip, number: int, key: KeyState, cipher: BlockCipher) -> bytes:
    """A transaction that waits goes on: EV1 readers commit with one key what they wrote with another."""
    rnd_b = chip.random(cipher.block)
    challenge = cipher.encrypt(rnd_b, bytes(cipher.block))
    chip.session = None
    chip.handshake = _Ev1Handshake(number, key.raw, cipher, rnd_b, challenge[-cipher.block :])
    return challenge


def _number(chip: Chip, data: bytes) -> int:
    if len(data) != 1:
        raise Refused(LENGTH)
    chip.check_key_number(data[0])
    return data[0]


def _key(chip: Chip, number: int) -> KeyState:
    chip.check_key_number(number)
    return chip.state.master if chip.application is None else chip.application.keys[number]


def _aes_key(chip: Chip, number: int) -> KeyState:
    key = _key(chip, number)
    if isinstance(key, MasterKey) and key.kind != "aes":
        raise Refused(AUTHENTICATION)
    return key
