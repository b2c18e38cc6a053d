"""What passes on a two-wire line, in words: for people and tools that listen, never for action.

Bytes come in as they were heard, cut anywhere and damaged anyhow, each with the direction in which they went. What a
block answers is told by its own words; whose it is, by the command before it. Knows no pump's state, no port and no
clock.
"""

from controller.pumps.decoded import Check, Decoded, Direction, Part
from controller.pumps.two_wire import blocks
from controller.pumps.two_wire.blocks import GradeTotals, MoneyPreset, Price, SpecialFunction, Transaction, VolumePreset
from controller.pumps.two_wire.errors import BadLrc, FrameError, Unfinished
from controller.pumps.two_wire.frame import (
    BLOCK_WORDS_MAX,
    CONTROL,
    DIGIT,
    MONEY_WORDS,
    STOP_ALL,
    Command,
    Status,
    Word,
    from_digits,
    pump_of,
)

COMMANDS = {
    Command.STATUS: "status",
    Command.AUTHORISE: "authorise",
    Command.DATA_NEXT: "data next",
    Command.STOP: "stop",
    Command.TRANSACTION: "transaction",
    Command.TOTALS: "totals",
    Command.MONEY: "real-time money",
}
STATUSES = {
    Status.DATA_ERROR: "data error",
    Status.OFF: "off",
    Status.CALL: "call",
    Status.AUTHORISED: "authorised",
    Status.BUSY: "busy",
    Status.PEOT: "preset end of transaction",
    Status.FEOT: "fill-up end of transaction",
    Status.STOPPED: "stopped",
    Status.SEND_DATA: "send data",
}
UNANSWERED = frozenset({Command.AUTHORISE, Command.STOP})
TEXTS = {
    "unfinished": "the block stops before its end",
    "too_long": "more words than any block has, and no end",
    "bad_word": "a word that is neither a digit nor a control word",
    "bad_length": "not as many words as it says, or as such a block has",
    "bad_lrc": "the check sum does not fit: damaged",
    "bad_layout": "its words are in no known order",
    "bad_digits": "a digit that is none",
}


class TwoWireDecoder:
    """Implements `Decoder`: both directions of one line, each with its own unfinished words."""

    def __init__(self) -> None:
        self._rest = {direction: bytearray() for direction in Direction}
        self._pump: int | None = None
        self._asked = b""
        """The last command, as long as it is not answered."""
        self._offered = False
        """A block went to the pump, so that its next status may be a data error."""

    def feed(self, data: bytes, direction: Direction) -> list[Decoded]:
        rest, found = self._rest[direction], list[Decoded]()
        for byte in data:
            if rest and rest[0] != Word.START and byte & CONTROL != DIGIT:
                found += self.flush(direction)
            rest.append(byte)
            if self._whole(rest):
                found += self._take(direction)
        return found

    def flush(self, direction: Direction) -> list[Decoded]:
        return self._take(direction) if self._rest[direction] else []

    def likely(self, piece: bytes) -> Direction | None:
        """A word that was said already is the question once more: only of a block does a pump complain with it."""
        if not self._asked:
            return None
        return Direction.TO_PUMP if piece == self._asked and not self._offered else Direction.TO_MASTER

    def pieces(self, data: bytes) -> list[bytes]:
        """Blocks, runs of digits, and single words."""
        found: list[bytes] = []
        at = 0
        while at < len(data):
            rest = data[at : at + BLOCK_WORDS_MAX]
            length = 1
            if rest[0] == Word.START:
                length = rest.find(Word.END) + 1 or len(rest)
            elif rest[0] & CONTROL == DIGIT:
                length = next((n for n, word in enumerate(rest[:MONEY_WORDS]) if word & CONTROL != DIGIT), len(rest))
                length = min(length, MONEY_WORDS)
            found.append(data[at : at + length])
            at += length
        return found

    @staticmethod
    def _whole(words: bytearray) -> bool:
        if words[0] == Word.START:
            return words[-1] == Word.END or len(words) > BLOCK_WORDS_MAX
        return words[0] & CONTROL != DIGIT or len(words) == MONEY_WORDS

    def _take(self, direction: Direction) -> list[Decoded]:
        piece = bytes(self._rest[direction])
        self._rest[direction].clear()
        if piece[0] == Word.START:
            return [self._block(piece, direction)]
        if piece[0] & CONTROL == DIGIT:
            return [self._money(piece, direction)]
        return [self._command(piece) if direction is Direction.TO_PUMP else self._status(piece)]

    def _command(self, piece: bytes) -> Decoded:
        self._asked = b""
        if piece[0] == STOP_ALL:
            self._pump = None
            return Decoded(None, "command", Check.NONE, piece.hex(), (Part("stop all", {}),))
        try:
            command = Command(piece[0] >> 4)
        except ValueError:
            return _noise(piece, "no command")
        self._pump = pump_of(piece[0])
        self._asked = piece if command not in UNANSWERED else b""
        return Decoded(self._pump, "command", Check.NONE, piece.hex(), (Part(COMMANDS[command], {}),))

    def _status(self, piece: bytes) -> Decoded:
        try:
            status = Status(piece[0] >> 4)
        except ValueError:
            return _noise(piece, "no status")
        self._asked, self._offered = b"", self._offered and status is Status.SEND_DATA
        pump = pump_of(piece[0])
        error = "" if self._pump in (None, pump) else f"pump {self._pump} was asked"
        return Decoded(pump, "status", Check.NONE, piece.hex(), (Part("status", {"state": STATUSES[status]}),), error)

    def _money(self, piece: bytes, direction: Direction) -> Decoded:
        if direction is Direction.TO_PUMP or len(piece) < MONEY_WORDS:
            return _noise(piece, "digits outside a block")
        self._asked = b""
        try:
            part = Part("real-time money", {"amount": from_digits(piece)})
        except FrameError:
            return _noise(piece, TEXTS["bad_digits"])
        return Decoded(self._pump, "money", Check.NONE, piece.hex(" "), (part,))

    def _block(self, piece: bytes, direction: Direction) -> Decoded:
        to_pump = direction is Direction.TO_PUMP
        self._asked, self._offered = b"", self._offered or to_pump
        try:
            parts = _to_pump(blocks.to_pump(piece)) if to_pump else _to_master(piece)
        except BadLrc as error:
            return Decoded(self._pump, "block", Check.BAD, piece.hex(" "), error=TEXTS[error.kind])
        except FrameError as error:
            if error.kind in ("unfinished", "too_long", "bad_word"):
                return _noise(piece, TEXTS[error.kind])
            return Decoded(self._pump, "block", Check.OK, piece.hex(" "), error=TEXTS.get(error.kind, "no block"))
        return Decoded(self._pump, "block", Check.OK, piece.hex(" "), parts)


def _noise(piece: bytes, error: str) -> Decoded:
    return Decoded(None, "noise", Check.NONE, piece.hex(" "), error=error)


def _to_pump(item: blocks.ToPump) -> tuple[Part, ...]:
    match item:
        case VolumePreset(volume, grade, level):
            return (Part("volume preset", {"volume": volume, "grade": grade, "level": int(level)}),)
        case MoneyPreset(amount, grade, level):
            chosen = {"grade": grade, "level": int(level) if level else None}
            return (Part("money preset", {"amount": amount, **{k: v for k, v in chosen.items() if v is not None}}),)
        case Price(price, grade, level):
            return (Part("unit price", {"price": price, "grade": grade, "level": int(level)}),)
        case SpecialFunction(number):
            return (Part("special function", {"number": number}),)


def _to_master(piece: bytes) -> tuple[Part, ...]:
    if len(piece) < 2:
        raise Unfinished(piece.hex())
    if piece[1] == Word.GRADE:
        return tuple(Part("totals", _totals(item)) for item in blocks.totals_of(piece))
    if piece[1] == Word.SPECIAL:
        return (Part("version", {"digits": blocks.version_of(piece).text}),)
    return (Part("transaction", _transaction(blocks.transaction_of(piece))),)


def _totals(item: GradeTotals) -> dict[str, int | str | list[int] | bool]:
    return {
        "grade": item.grade,
        "volume": item.volume,
        "amount": item.amount,
        "price": item.price,
        "second_price": item.second_price,
    }


def _transaction(item: Transaction) -> dict[str, int | str | list[int] | bool]:
    return {
        "grade": item.grade,
        "level": int(item.level),
        "price": item.price,
        "volume": item.volume,
        "amount": item.amount,
        "wide": item.wide,
        "lead": item.lead.hex(" "),
    }
