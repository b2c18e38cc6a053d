"""Which pump protocols the simulator speaks: how a twin is made, how bytes look on the wire, where a frame ends.

One entry a protocol; its twin and settings are imported when they are asked for. Knows no port and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from controller.domain.quantities import UnitPrice
from controller.domain.seams import US_PER_MS
from controller.pumps.core import LineSettings
from controller.pumps.digits import PumpDigits
from controller.pumps.options import PumpOptions
from controller.pumps.options import TwoWireOptions as BoardOptions
from sim.faults import Faults, FaultyTwin, Marks
from sim.pumps.head import PumpHead
from sim.pumps.port import Twin


class ProtocolError(ValueError):
    """Pumps of this protocol cannot be made; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How one pump is to be made. `latency_us`: None is what most pumps of its protocol take.

    `options` are the protocol's own words, as its `options` table checks them.
    """

    address: int
    digits: PumpDigits
    latency_us: int | None = None
    programmed: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def latency(self) -> dict[str, Any]:
        return {} if self.latency_us is None else {"reply_latency_us": self.latency_us}


@dataclass(frozen=True, slots=True)
class PumpProtocol:
    """One protocol. `silence_us` of quiet drops a frame that is not whole. `paced`: its blocks are so long that one
    which comes whole, when its last byte would be through, comes later than a master waits for its first.

    `twin(head, make, options)` gives the bare twin; ValueError or TypeError says what does not fit.
    """

    name: str
    line: LineSettings
    complete: Callable[[bytes], bool]
    silence_us: int
    options: type[PumpOptions]
    marks: Marks
    twin: Callable[[PumpHead, Make, Any], Twin]
    paced: bool = False

    def make(self, head: PumpHead, make: Make) -> Twin:
        """A pump. ProtocolError with a sentence."""
        try:
            options = msgspec.convert(dict(make.options), self.options)
        except msgspec.ValidationError as error:
            known = ", ".join(key.name for key in msgspec.structs.fields(self.options)) or "none"
            raise ProtocolError(f"options: {error}; {self.name} knows: {known}") from error
        try:
            return self.twin(head, make, options)
        except ValueError as error:
            raise ProtocolError(str(error)) from error

    def faulty(self, twin: Twin, faults: Faults) -> FaultyTwin:
        """The twin with faults around it."""
        return FaultyTwin(twin, faults, self.marks)


class DartOptions(PumpOptions, frozen=True):
    """`wrap_to`: the number after F. `sends_filling`: running values by itself. `has_totals`: it knows DC101."""

    wrap_to: Literal[0, 1] = 1
    sends_filling: bool = True
    has_totals: bool = True


class TwoWireOptions(BoardOptions, frozen=True):
    """What a station can be told of it, and `words` of a delivery, which the station sees by itself.

    `keeps_grade`: it gives no other grade than its preset is for.
    """

    words: Literal[33, 39] = 33
    has_totals: bool = True
    has_version: bool = True
    keeps_grade: bool = True


class AztOptions(PumpOptions, frozen=True):
    """`full_at_rest`: it gives its last delivery while it rests. `counter_digits`: of each of the two totalisers.

    `lacks`: what it does not know, by the names of `azt2.messages.Command` in small letters.
    """

    full_at_rest: bool = True
    lacks: tuple[str, ...] = ()
    counter_digits: Annotated[int, msgspec.Meta(ge=4, le=20)] = 10


def _unpriced(head: PumpHead, make: Make) -> None:
    """A pump without a price shows zero, where its protocol has no word for it."""
    if not make.programmed:
        head.set_prices([UnitPrice(0, make.digits.price_decimals)] * len(head.nozzles))


def _dart() -> PumpProtocol:
    from controller.pumps.dart import frame
    from controller.pumps.dart.protocol import LINE
    from controller.pumps.dart.settings import DartSettings
    from sim.pumps.dart import DartTwin

    def twin(head: PumpHead, make: Make, options: DartOptions) -> Twin:
        settings = DartSettings(address=make.address, nozzles=len(head.nozzles), **make.digits.counting())
        return DartTwin(
            head,
            settings,
            wrap_to=options.wrap_to,
            sends_filling=options.sends_filling,
            has_totals=options.has_totals,
            programmed=make.programmed,
            **make.latency(),
        )

    def is_ack(answer: bytes) -> bool:
        return len(answer) == 3 and answer[1] & 0xF0 == frame.Control.ACK

    def spoil_sum(answer: bytes) -> bytes | None:
        # The last byte of the sum stands before ETX and END; FA and 10 are left alone, they have meanings of their own.
        if len(answer) < 6 or answer[1] & 0xF0 != frame.Control.DATA:
            return None
        spoilt = next(value for bit in (1, 2, 4) if (value := answer[-3] ^ bit) not in (frame.END, frame.ESCAPE))
        before = answer[:-4] if answer[-3] == frame.END and answer[-4] == frame.ESCAPE else answer[:-3]
        return before + bytes((spoilt,)) + answer[-2:]

    return PumpProtocol("dart", LINE, frame.is_whole, 15 * US_PER_MS, DartOptions, Marks(is_ack, spoil_sum), twin)


def _two_wire() -> PumpProtocol:
    from controller.pumps.two_wire import frame
    from controller.pumps.two_wire.protocol import LINE
    from controller.pumps.two_wire.settings import TwoWireSettings
    from sim.pumps.two_wire import TwoWireTwin

    def twin(head: PumpHead, make: Make, options: TwoWireOptions) -> Twin:
        settings = TwoWireSettings(
            pump_id=make.address,
            nozzles=len(head.nozzles),
            wide=options.words == 39,
            six_digit_money=options.six_digit_money,
            price_levels=options.price_levels,
            old_board=options.old_board,
            preset_volume_decimals=options.preset_volume_decimals,
            **make.digits.counting(),
        )
        _unpriced(head, make)
        return TwoWireTwin(
            head,
            settings,
            has_totals=options.has_totals,
            has_version=options.has_version,
            keeps_grade=options.keeps_grade,
            **make.latency(),
        )

    def is_ack(answer: bytes) -> bool:
        return len(answer) == 1 and answer[0] >> 4 == frame.Status.SEND_DATA

    def spoil_sum(answer: bytes) -> bytes | None:
        has_sum = len(answer) > 3 and answer[0] == frame.Word.START and answer[-1] == frame.Word.END
        return answer[:-2] + bytes((answer[-2] ^ 1, answer[-1])) if has_sum else None

    return PumpProtocol(
        "two-wire", LINE, frame.is_whole, 70 * US_PER_MS, TwoWireOptions, Marks(is_ack, spoil_sum), twin, paced=True
    )


def _azt2() -> PumpProtocol:
    from controller.pumps.azt2 import frame
    from controller.pumps.azt2.messages import Command
    from controller.pumps.azt2.protocol import LINE
    from controller.pumps.azt2.settings import NOZZLES_MAX, AztSettings
    from sim.pumps.azt2 import AztTwin

    def twin(head: PumpHead, make: Make, options: AztOptions) -> Twin:
        if len(head.nozzles) > NOZZLES_MAX:
            raise ValueError(f"nozzles: {len(head.nozzles)}: a channel of AZT has one")
        commands = {command.name.lower(): command for command in Command}
        if unknown := [name for name in options.lacks if name not in commands]:
            raise ValueError(f"options: lacks: {unknown[0]!r}: expected some of {', '.join(commands)}")
        _unpriced(head, make)
        settings = AztSettings(channel=make.address, **make.digits.counting())
        return AztTwin(
            head,
            settings,
            lacks=frozenset(commands[name] for name in options.lacks),
            full_at_rest=options.full_at_rest,
            counter_digits=options.counter_digits,
            **make.latency(),
        )

    def is_ack(answer: bytes) -> bool:
        return answer == bytes((frame.SOF, frame.Answer.ACK))

    def spoil_sum(answer: bytes) -> bytes | None:
        return answer[:-1] + bytes((answer[-1] ^ 1,)) if answer[-3:-1] == frame.END else None

    return PumpProtocol("azt2", LINE, frame.is_whole, 60 * US_PER_MS, AztOptions, Marks(is_ack, spoil_sum), twin)


PROTOCOLS: dict[str, Callable[[], PumpProtocol]] = {"dart": _dart, "two-wire": _two_wire, "azt2": _azt2}


@cache
def protocol(name: str) -> PumpProtocol:
    """The protocol of this name. ProtocolError names all that there are."""
    entry = PROTOCOLS.get(name)
    if entry is None:
        raise ProtocolError(f"{name!r} is no pump protocol: expected one of {', '.join(PROTOCOLS)}")
    try:
        return entry()
    except ImportError as error:
        raise ProtocolError(f"simulated {name} pumps are not part of this version ({error.name} is missing)") from error
