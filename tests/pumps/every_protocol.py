"""Every pump protocol, for tests of what they have in common: one row a protocol, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.pumps.azt2 import frame as azt2
from controller.pumps.azt2.messages import Command as AztCommand
from controller.pumps.core import LineSettings
from controller.pumps.dart import frame as dart
from controller.pumps.two_wire import frame as two_wire
from controller.pumps.words import Authorise
from tests.pumps import dart_bench
from tests.pumps.azt2 import bench as azt2_bench
from tests.pumps.core_bench import Bench
from tests.pumps.two_wire import bench as two_wire_bench


@dataclass(frozen=True, slots=True)
class Row:
    """One protocol.

    `bench(number)`: a pump with two grades where it may have them, and its address made from a number from 1.
    `order`: an order to authorise that is always taken. `authorises`: whether a transmission could open a valve.
    `damaged`: whether an answer has anything in it that no pump of this address could have said. `alphabet`: the
    bytes that mean something. `forgets`: once a delivery is over the pump does not say that it was.
    """

    name: str
    bench: Callable[[int], Bench[Any, Any]]
    order: Authorise
    authorises: Callable[[bytes], bool]
    damaged: Callable[[bytes, int], bool]
    alphabet: bytes
    forgets: bool = False

    @property
    def line(self) -> LineSettings:
        return self.bench(1).line


def _dart_damaged(answer: bytes, number: int) -> bool:
    for piece in dart.split(answer):
        try:
            if dart.decode(piece).address != 0x50 + number:
                return True
        except ValueError:
            return True
    return False


def _two_wire_damaged(answer: bytes, number: int) -> bool:
    try:
        if answer[0] == two_wire.Word.START:
            two_wire.open_answer_block(answer)
        elif answer[0] & two_wire.CONTROL == two_wire.DIGIT:
            two_wire.money_of(answer)
        else:
            two_wire.status_of(answer, number)
    except ValueError:
        return True
    return False


def _azt2_damaged(answer: bytes, _number: int) -> bool:
    for piece in azt2.split(answer):
        try:
            azt2.decode_reply(piece)
        except ValueError:
            return True
    return False


EVERY: dict[str, Row] = {
    row.name: row
    for row in (
        Row(
            "dart",
            lambda number: dart_bench.bench(2, address=0x50 + number),
            Authorise((1, 2)),
            lambda data: b"\x01\x01\x06" in data,
            _dart_damaged,
            bytes.fromhex("50 51 52 FA 10 03 00 FF 20 30 31 3F 50 70 C0 C1 E0 01 02 03 04 05 06 08 65"),
        ),
        Row(
            "two-wire",
            lambda number: two_wire_bench.bench(2, pump=number),
            Authorise((1, 2)),
            lambda data: len(data) == 1 and data[0] >> 4 == two_wire.Command.AUTHORISE,
            _two_wire_damaged,
            bytes((*range(0xE0, 0x100), *(high << 4 | pump for high in range(0x10) for pump in (1, 2)))),
        ),
        Row(
            "old board",
            lambda number: two_wire_bench.bench(2, pump=number, old_board=True),
            Authorise((1, 2)),
            lambda data: len(data) == 1 and data[0] >> 4 == two_wire.Command.AUTHORISE,
            _two_wire_damaged,
            bytes((*range(0xE0, 0x100), *(high << 4 | pump for high in range(0x10) for pump in (1, 2)))),
            forgets=True,
        ),
        Row(
            "azt2",
            lambda number: azt2_bench.bench(channel=number),
            Authorise((1,), price=azt2_bench.PRICE),
            lambda data: data[4:5] in (bytes((AztCommand.AUTHORISE,)), bytes((AztCommand.START,))),
            _azt2_damaged,
            bytes((0x7F, 0x02, 0x03, 0x06, 0x15, 0x18, *(b for d in range(0x30, 0x3A) for b in (d, d ^ 0x7F)))),
        ),
    )
}
