"""A simulated DESFire EV2 card: frames in, frames out. No reader, no clock; randomness comes in.

It answers what the station asks of a card, with the statuses that real EV3 cards were seen to give: a keyed
operation without a session is AE, with a session but without the right 9D, and any error ends the session. Wrapped
frames (`90 INS 00 00 Lc data 00`) and native ones (`INS data`) are taken alike. `FF CA 00 00 00` belongs to the
reader, not to the card; a virtual reader has no mind of its own, so the card answers for it.

Not here yet: EV1 and EV2NonFirst authentication, writing, value files, records, transactions, ISO selection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from card_io.apdu import DESFIRE_CLA, DESFIRE_DATA_MAX, MORE_INS, Command
from card_io.desfire.crypto import (
    BLOCK,
    MAC_LENGTH,
    AesKey,
    SessionKeys,
    pad,
    response_iv,
    rotate_left,
    same,
    session_keys,
    short_mac,
)
from sim.cards.state import FREE, NEVER, CardState, FileState

Mode = Literal["plain", "mac", "full"]

OK, MORE = 0x00, 0xAF
ILLEGAL_COMMAND, INTEGRITY, NO_SUCH_KEY, LENGTH, DENIED, PARAMETER = 0x1C, 0x1E, 0x40, 0x7E, 0x9D, 0x9E
NO_APPLICATION, AUTHENTICATION, BOUNDARY, ABORTED, NO_FILE = 0xA0, 0xAE, 0xBE, 0xCA, 0xF0

_DESFIRE_ATR = bytes.fromhex("3B8180018080")  # as every reader makes it up for a DESFire card
_STORAGE_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")  # PC/SC part 3: a MIFARE Classic 1K
_HARDWARE = bytes.fromhex("04010112001805")  # EV2, 4K, as GetVersion tells it
_SOFTWARE = bytes.fromhex("04010102011805")
_PRODUCTION = bytes.fromhex("BA4415F5200119")  # batch, week and year, after the UID
_PICC_LEVEL = bytes(3)


class _Refused(Exception):
    """An error status; the session ends with it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:02X}")
        self.status = status


@dataclass
class _Session:
    key_number: int
    keys: SessionKeys
    transaction: bytes
    counter: int = 0


class SimCard:
    """One card in the field. `random(n)` gives n random bytes: challenges and transaction identifiers."""

    def __init__(self, state: CardState, random: Callable[[int], bytes]) -> None:
        self.state = state
        self._random = random
        self._selected = _PICC_LEVEL
        self._session: _Session | None = None
        self._challenge: tuple[int, bytes] | None = None  # key number, RndB: AF of an authentication is awaited
        self._rest: list[bytes] = []  # frames of an answer that AF has to fetch
        self._commands: dict[int, Callable[[bytes], bytes]] = {
            0x5A: self._select_application,
            0x60: self._get_version,
            0x64: self._get_key_version,
            0x51: self._get_card_uid,
            0xAD: lambda data: self._read_data(0xAD, data),
            0xBD: lambda data: self._read_data(0xBD, data),
        }

    @property
    def atr(self) -> bytes:
        """What a PC/SC reader shows for such a card."""
        return _DESFIRE_ATR if self.state.kind == "desfire" else _STORAGE_ATR

    def reset(self) -> None:
        """Power off and on: nothing selected, nobody authenticated."""
        self._selected = _PICC_LEVEL
        self._end_session()

    def transmit(self, frame: bytes) -> bytes:
        """One frame to the card, its answer back. Never raises: a card answers everything."""
        if frame[:1] == b"\xff":
            return self._as_reader(frame)
        if self.state.kind == "uid_only":
            return b"\x6e\x00"
        if frame[:1] == b"\x00" or len(frame) == 0:
            return b"\x6a\x82" if frame[1:2] == b"\xa4" else b"\x6d\x00"
        if frame[0] != DESFIRE_CLA:
            status, data = self._native(frame[0], frame[1:])
            return bytes((status,)) + data
        status, data = self._wrapped(frame)
        return data + bytes((0x91, status))

    def _as_reader(self, frame: bytes) -> bytes:
        if frame[1:4] != b"\xca\x00\x00":
            return b"\x6a\x81"
        return self.state.uid + b"\x90\x00"

    def _wrapped(self, frame: bytes) -> tuple[int, bytes]:
        try:
            command = Command.parse(frame)
        except ValueError:
            self._end_session()
            return LENGTH, b""
        if command.p1 or command.p2:
            self._end_session()
            return PARAMETER, b""
        return self._native(command.ins, command.data)

    def _native(self, ins: int, data: bytes) -> tuple[int, bytes]:
        try:
            return self._dispatch(ins, data)
        except _Refused as refusal:
            self._end_session()
            return refusal.status, b""

    def _dispatch(self, ins: int, data: bytes) -> tuple[int, bytes]:
        if ins == MORE_INS:
            return self._continue(data)
        if self._rest or self._challenge:
            raise _Refused(ABORTED)
        if ins == 0x71:
            return MORE, self._authenticate_first(data)
        command = self._commands.get(ins)
        if command is None:
            raise _Refused(ILLEGAL_COMMAND)
        answer = command(data)
        if ins == 0x60:  # GetVersion's three parts are three frames, whatever their length
            self._rest = [answer[7:14], answer[14:]]
            answer = answer[:7]
        else:
            frames = [answer[at : at + DESFIRE_DATA_MAX] for at in range(0, len(answer), DESFIRE_DATA_MAX)]
            answer, self._rest = (frames[0] if frames else b""), frames[1:]
        return (MORE if self._rest else OK), answer

    def _continue(self, data: bytes) -> tuple[int, bytes]:
        if self._challenge:
            return OK, self._authenticate_second(data)
        if not self._rest:
            raise _Refused(ILLEGAL_COMMAND)
        if data:
            raise _Refused(LENGTH)
        answer = self._rest.pop(0)
        return (MORE if self._rest else OK), answer

    # --- the commands

    def _select_application(self, data: bytes) -> bytes:
        if len(data) != 3:
            raise _Refused(LENGTH)
        if data not in (_PICC_LEVEL, self.state.aid):
            raise _Refused(NO_APPLICATION)
        self._end_session()
        self._selected = data
        return b""

    def _get_version(self, data: bytes) -> bytes:
        self._opened(0x60, data, 0, "mac")
        return self._sealed(_HARDWARE + _SOFTWARE + self.state.uid + _PRODUCTION, "mac")

    def _get_key_version(self, data: bytes) -> bytes:
        number = self._opened(0x64, data, 1, "mac")[0]
        self._key(number)
        return self._sealed(bytes((self.state.key_versions.get(number, 0),)), "mac")

    def _authenticate_first(self, data: bytes) -> bytes:
        # key number, length of the capabilities, capabilities
        if len(data) < 2 or len(data) != 2 + data[1]:
            raise _Refused(LENGTH)
        self._end_session()
        key = self._key(data[0])
        rnd_b = self._random(BLOCK)
        self._challenge = (data[0], rnd_b)
        return key.encrypt(rnd_b)

    def _authenticate_second(self, data: bytes) -> bytes:
        assert self._challenge is not None
        number, rnd_b = self._challenge
        self._challenge = None
        if len(data) != 2 * BLOCK:
            raise _Refused(LENGTH)
        key = self._key(number)
        plain = key.decrypt(data)
        rnd_a = plain[:BLOCK]
        if not same(plain[BLOCK:], rotate_left(rnd_b)):
            raise _Refused(AUTHENTICATION)
        transaction = self._random(4)
        self._session = _Session(number, session_keys(key, rnd_a, rnd_b), transaction)
        return key.encrypt(transaction + rotate_left(rnd_a) + bytes(12))

    def _get_card_uid(self, data: bytes) -> bytes:
        if self._session is None:
            raise _Refused(AUTHENTICATION)
        self._opened(0x51, data, 0, "mac")
        return self._sealed(self.state.uid, "full")

    def _read_data(self, ins: int, data: bytes) -> bytes:
        if not data:
            raise _Refused(LENGTH)
        file = self.state.files.get(data[0])
        if self._selected == _PICC_LEVEL or file is None:
            raise _Refused(NO_FILE)
        self._check_right(file)
        header = self._opened(ins, data, 7, file.mode)
        offset, length = int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:7], "little")
        end = offset + length if length else len(file.data)
        if not offset < end <= len(file.data):
            raise _Refused(BOUNDARY)
        return self._sealed(file.data[offset:end], file.mode)

    # --- rights, keys and secure messaging

    def _check_right(self, file: FileState) -> None:
        if file.read_key == FREE:
            return
        if self._session is None:
            raise _Refused(AUTHENTICATION)
        if file.read_key == NEVER or file.read_key != self._session.key_number:
            raise _Refused(DENIED)

    def _key(self, number: int) -> AesKey:
        if self._selected == _PICC_LEVEL or number not in self.state.keys:
            raise _Refused(NO_SUCH_KEY)
        return AesKey(self.state.keys[number])

    def _opened(self, ins: int, data: bytes, length: int, mode: Mode) -> bytes:
        """The command's header, `length` bytes, its MAC checked when there is a session that asks for one."""
        maced = self._session is not None and mode != "plain"
        if len(data) != length + (MAC_LENGTH if maced else 0):
            raise _Refused(LENGTH)
        if maced and not same(data[length:], self._mac(ins, data[:length])):
            raise _Refused(INTEGRITY)
        return data[:length]

    def _sealed(self, data: bytes, mode: Mode) -> bytes:
        """The answer's data as the session wants it; the command is counted."""
        session = self._session
        if session is None:
            return data
        session.counter += 1
        if mode == "plain":
            return data
        if mode == "full":
            iv = response_iv(session.keys.enc, session.transaction, session.counter)
            data = session.keys.enc.encrypt(pad(data), iv)
        return data + self._mac(OK, data)

    def _mac(self, code: int, body: bytes) -> bytes:
        assert self._session is not None
        counter = self._session.counter.to_bytes(2, "little")
        return short_mac(self._session.keys.mac, bytes((code,)) + counter + self._session.transaction + body)

    def _end_session(self) -> None:
        self._session, self._challenge, self._rest = None, None, []
