"""Bytes of a line -> `Heard`: what a frame says, who said it, whether it is whole. The one shape of all wire tools.

Knows no port, no file and no clock.
"""

import copy
import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from controller.pumps.decoded import Check, Decoded, Decoder, Direction, Part
from controller.wire.protocols import WireProtocol

UNKNOWN = "unknown"
"""A direction that nothing tells."""
_DIGIT_RUN = re.compile(r"\d{12,}|\d{4}(?:[ -]\d{4}){2,}(?:[ -]?\d+)?")
"""Twelve digits and more may be a card's number: no value of a pump is so long."""
FRAME_SILENCE_US = 30_000
"""USB converters give bytes in portions up to 16 ms apart."""
PARTED_PIECES_MAX = 1_000
"""Longer than any talk that a converter mixes, or that a person pastes."""
BURST_SILENCE_US = 3_000
"""Pumps answer some milliseconds after the question; longer would put both into one burst."""
_BETWEEN = frozenset(",;:-")
_HEX = frozenset("0123456789abcdefABCDEF")


class BadHex(ValueError):
    """Text that is not bytes; says where, counted from 1."""


class Heard(msgspec.Struct, frozen=True):
    """One frame that went over the line. `at_us`: since the beginning of a recording."""

    direction: str
    address: int | None
    kind: str
    crc: Check
    hex: str
    transactions: list[Part]
    error: str = ""
    at_us: int | UnsetType = UNSET

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.hex)

    @property
    def damaged(self) -> bool:
        """Not a whole good frame, or one that says what cannot be."""
        return self.crc is Check.BAD or bool(self.error)


def from_hex(words: str) -> bytes:
    """Bytes of hex digits, as people write them: with or without spaces, commas, colons or dashes between the bytes,
    and with or without 0x before each. `BadHex` names the first character that is wrong."""
    found = bytearray()
    high: int | None = None
    prefix: int | None = None
    for position, character in enumerate(words, 1):
        if character in "xX" and prefix is None and high == position - 1 and words[high - 1] == "0":
            high, prefix = None, high
        elif prefix is not None and high is None and character not in _HEX:
            break
        elif character.isspace() or character in _BETWEEN:
            if high is not None:
                raise BadHex(f"odd number of hex digits: the one at position {high} stands alone")
        elif character not in _HEX:
            raise BadHex(f"{character!r} at position {position} is no hex digit")
        elif high is None:
            high = position
        else:
            found.append(int(words[high - 1] + character, 16))
            high = prefix = None
    if high is not None:
        raise BadHex(f"odd number of hex digits: the one at position {high} stands alone")
    if prefix is not None:
        raise BadHex(f"the 0x at position {prefix} has no hex digits behind it")
    return bytes(found)


class Ear:
    """Listens to one line. With a direction it is told who speaks, without one it judges by the frames."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._decoder: Decoder = protocol.decoder()
        self._directions = protocol.directions()
        self._burst = b""

    def hear(self, data: bytes, direction: Direction | None = None) -> list[Heard]:
        """The frames that these bytes complete."""
        if direction is not None:
            return [heard(said, direction) for said in self._decoder.feed(data, direction)]
        if self._directions is None:  # whose it is shows only when the burst is over
            self._burst += data
            return []
        return [one for piece in self._directions.feed(data) for one in self._judged(piece)]

    @property
    def silence_us(self) -> int:
        """So long a silence ends a frame: a short one where it is all that parts question and answer."""
        return BURST_SILENCE_US if self._directions is None else FRAME_SILENCE_US

    def silence(self) -> list[Heard]:
        """Nobody has spoken for a while, or it is the end: what is left over."""
        found = [heard(said, direction) for direction in Direction for said in self._decoder.flush(direction)]
        rest, self._burst = self._burst, b""
        if self._directions is not None:
            rest = self._directions.flush()
        if not rest:
            return found
        return found + (self._judged(rest) if self._directions is not None else self._parted(rest))

    def _parted(self, burst: bytes) -> list[Heard]:
        """Nobody says two things at once: several in one burst are of both, unless that makes less sense."""
        pieces = self._decoder.pieces(burst)
        if not 1 < len(pieces) <= PARTED_PIECES_MAX:
            return self._judged(burst)
        before = copy.deepcopy(self._decoder)
        whole = self._judged(burst)
        after, self._decoder = self._decoder, before
        parted = [frame for piece in pieces for frame in self._judged(piece)]
        if _errors(parted) <= _errors(whole):
            return parted
        self._decoder = after
        return whole

    def _judged(self, piece: bytes) -> list[Heard]:
        """A piece read both ways: the reading with fewer errors, else what the talk so far makes likely."""
        to_pump, to_master = Direction.TO_PUMP, Direction.TO_MASTER
        context = self._directions.of(piece) if self._directions is not None else self._decoder.likely(piece)
        # A decoder remembers what was asked: each reading begins from the same memory, and the chosen one's stays.
        decoders = {direction: copy.deepcopy(self._decoder) for direction in Direction}
        readings = {
            direction: [*decoder.feed(piece, direction), *decoder.flush(direction)]
            for direction, decoder in decoders.items()
        }
        errors = {direction: _errors(readings[direction]) for direction in Direction}
        if errors[to_pump] != errors[to_master]:
            chosen = min(Direction, key=errors.__getitem__)
        elif context is None and readings[to_pump] == readings[to_master]:
            return [heard(said, None) for said in readings[to_pump]]
        else:
            chosen = context or to_pump
        self._decoder = decoders[chosen]
        if self._directions is not None:
            self._directions.was(chosen)
        return [heard(said, chosen) for said in readings[chosen]]


def _errors(said: Sequence[Decoded] | Sequence[Heard]) -> int:
    """How little sense it makes: what does not even hold together counts more than what only is strange."""
    return sum((2 if one.crc is Check.BAD or one.kind == "noise" else 1) for one in said if one.error)


def decode_all(protocol: WireProtocol, data: bytes, direction: Direction | None = None) -> list[Heard]:
    """All frames of some bytes."""
    ear = Ear(protocol)
    return [*ear.hear(data, direction), *ear.silence()]


def heard(said: Decoded, direction: Direction | None) -> Heard:
    """The one shape, with whatever could be a card's number masked."""
    parts = [
        Part(mask(part.name), {mask(key): _masked(value) for key, value in part.values.items()}) for part in said.parts
    ]
    return Heard(direction or UNKNOWN, said.address, said.kind, said.crc, said.raw, parts, mask(said.error))


def _masked(value: int | str | list[int] | bool) -> int | str | list[int] | bool:
    return mask(value) if isinstance(value, str) else value


def mask(text: str) -> str:
    """First 6 and last 4 of any long run of digits, the rest as stars."""

    def stars(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found.group())
        return digits[:6] + "*" * (len(digits) - 10) + digits[-4:]

    return _DIGIT_RUN.sub(stars, text)
