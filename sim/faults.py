"""What goes wrong at a pump on demand, by the same names at the bench, in the world and in tests.

`Faults` keeps what was ordered and how often it is still to happen; `FaultyTwin` stands around a pump's twin and does
it: to what comes over the line, and to the pump itself. Sans-IO: every call is told `now_us`, chance is handed in.
Knows no protocol: what an acknowledgement or a check sum looks like is told by `Marks`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from controller.domain.seams import US_PER_MS
from sim.chance import Chance
from sim.pumps.head import HeadChange, PumpHead
from sim.pumps.port import Twin

COUNT_MAX = 1_000_000
RANGES = {
    "bytes": (0, 512),
    "ms": (0, 60_000),
    "off_ms": (0, 3_600_000),
    "after_ml": (0, 1_000_000_000),
    "ml": (-1_000_000_000, 1_000_000_000),
    "nozzle": (1, 8),
    "code": (0, 255),
    "forgets": (0, 1),
}
"""What a value may be, ends included."""


class FaultError(ValueError):
    """A fault cannot be had; the text says why, and what can be."""


class FaultName(StrEnum):
    """All faults. Everybody uses these names."""

    NO_RESPONSE = "no_response"
    GARBAGE = "garbage"
    BAD_CRC = "bad_crc"
    DROP_BYTE = "drop_byte"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    LOST_ACK = "lost_ack"
    STUCK_TOTALISER = "stuck_totaliser"
    TOTALISER_JUMP = "totaliser_jump"
    POWER_CUT = "power_cut"
    OVERRUN = "overrun"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault is. `values`: its numbers, as they are unless something else is said.

    `once`: it happens at the moment at which it is ordered, `count` times, and is over: again at each following turn.
    The others last until their count is used up, or for ever. `counts`: what one of them is.
    """

    text: str
    counts: str
    values: Mapping[str, int]
    once: bool = False


KINDS: dict[FaultName, Kind] = {
    FaultName.NO_RESPONSE: Kind("the pump hears nothing and says nothing", "turns", {}),
    FaultName.GARBAGE: Kind("noise instead of an answer", "answers", {"bytes": 0}),
    FaultName.BAD_CRC: Kind("the check sum of an answer is wrong", "answers with one", {}),
    FaultName.DROP_BYTE: Kind("one byte of an answer is missing", "answers", {}),
    FaultName.DUPLICATE: Kind("an answer comes twice, one after the other", "answers", {}),
    FaultName.DELAY: Kind("an answer comes later", "answers", {"ms": 500}),
    FaultName.LOST_ACK: Kind("the pump obeys, and its acknowledgement is lost", "acknowledgements", {}),
    FaultName.STUCK_TOTALISER: Kind("the volume counters stand still while fuel flows", "deliveries", {}),
    FaultName.TOTALISER_JUMP: Kind("a volume counter shows something else", "jumps", {"ml": 1_000, "nozzle": 1}, True),
    FaultName.POWER_CUT: Kind(
        "no power: the valve closes, nothing answers, the electronics start again",
        "cuts",
        {"off_ms": 2_000, "after_ml": 0, "forgets": 0},
        True,
    ),
    FaultName.OVERRUN: Kind("the valve closes too late (below zero: too early)", "presets reached", {"ml": 200}),
    FaultName.ALARM: Kind("the pump reports a fault", "alarms", {"code": 9}, True),
}
"""`garbage bytes=0` is as many as the answer had. `power_cut after_ml`: as soon as the display shows that much;
`forgets=1`: the electronics come back without memory of the delivery. `alarm code`: the protocol's own."""

ON_THE_LINK = (
    FaultName.NO_RESPONSE,
    FaultName.GARBAGE,
    FaultName.BAD_CRC,
    FaultName.DROP_BYTE,
    FaultName.DUPLICATE,
    FaultName.DELAY,
    FaultName.LOST_ACK,
)
"""While one of these is ordered, each turn counts."""
ANSWERS = (
    FaultName.LOST_ACK,
    FaultName.BAD_CRC,
    FaultName.DROP_BYTE,
    FaultName.GARBAGE,
    FaultName.DUPLICATE,
    FaultName.DELAY,
)
"""What is done to an answer, in this order, where several are ordered."""


@dataclass(slots=True)
class Fault:
    """One that is ordered. `left`: how often it is still to happen; None: until it is cleared."""

    name: FaultName
    left: int | None
    values: dict[str, int]


@runtime_checkable
class Electronics(Protocol):
    """What can happen to a twin that does not come over its line: beside `Twin`."""

    @property
    def alarm_codes(self) -> range:
        """The alarms that it knows."""
        ...

    def alarm(self, code: int, now_us: int) -> bool:
        """Report a fault, as far as the protocol has a way. False: it cannot be told now, and will be asked again."""
        ...

    def power_cycle(self, now_us: int, *, forgets: bool = False) -> None:
        """The power is back: they start again, with or without memory of the delivery. Totalisers are kept."""
        ...


class Hand(Protocol):
    """Who does to the pump what was ordered."""

    def refusal(self, fault: Fault) -> str:
        """Why this pump cannot have this fault; empty if it can."""
        ...

    def begin(self, fault: Fault, now_us: int) -> None: ...

    def end(self, fault: Fault, now_us: int) -> None: ...


class Faults:
    """The faults of one pump."""

    def __init__(self, chance: Chance) -> None:
        """`chance`: which byte is dropped, which noise comes."""
        self.chance = chance
        self._active: dict[FaultName, Fault] = {}
        self._hand: Hand | None = None

    def bind(self, hand: Hand) -> None:
        """From now on this hand does it."""
        self._hand = hand

    def inject(self, name: str, now_us: int, *, count: int | None = None, **values: int) -> None:
        """Order a fault, `count` times; one of the same name is replaced. FaultError with a sentence."""
        self.order(make_fault(name, count, values), now_us)

    def order(self, fault: Fault, now_us: int) -> None:
        """As `inject`, of a checked fault."""
        if self._hand is not None and (why := self._hand.refusal(fault)):
            raise FaultError(f"{fault.name}: {why}")
        self._stop(fault.name, now_us)
        self._active[fault.name] = fault
        if self._hand is not None:
            self._hand.begin(fault, now_us)

    def clear(self, now_us: int, name: str | None = None) -> None:
        """End one fault, or all. What has happened stays so."""
        for known in list(self._active) if name is None else [fault_name(name)]:
            self._stop(known, now_us)

    def active(self) -> tuple[Fault, ...]:
        """What is ordered and not over, in the order of ordering."""
        return tuple(self._active.values())

    def find(self, name: FaultName) -> Fault | None:
        return self._active.get(name)

    def use(self, fault: Fault, now_us: int) -> None:
        """It happened once more."""
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self._stop(fault.name, now_us)

    def _stop(self, name: FaultName, now_us: int) -> None:
        fault = self._active.pop(name, None)
        if fault is not None and self._hand is not None:
            self._hand.end(fault, now_us)


def fault_name(name: str) -> FaultName:
    """FaultError names all of them."""
    try:
        return FaultName(name)
    except ValueError:
        raise FaultError(f"{name!r} is no fault: expected one of {', '.join(FaultName)}") from None


def make_fault(name: str, count: int | None, values: Mapping[str, int]) -> Fault:
    """A checked fault, with its values filled up."""
    known = fault_name(name)
    kind = KINDS[known]
    if count is not None and not 1 <= count <= COUNT_MAX:
        raise FaultError(f"{name}: count={count}: expected 1 to {COUNT_MAX}, or no count")
    for key, value in values.items():
        if key not in kind.values:
            known_keys = ", ".join(kind.values) or "count only"
            raise FaultError(f"{name}: {key!r} is no value of this fault: expected {known_keys}")
        lowest, highest = RANGES[key]
        if not lowest <= value <= highest:
            raise FaultError(f"{name}: {key}={value}: expected {lowest} to {highest}")
    return Fault(known, 1 if kind.once and count is None else count, {**kind.values, **values})


@dataclass(frozen=True, slots=True)
class Marks:
    """What is to be known of a protocol's answers.

    `is_ack`: this answer only says that something was understood. `spoil_sum`: the answer with a wrong check sum; None
    if it has none.
    """

    is_ack: Callable[[bytes], bool] = bool
    spoil_sum: Callable[[bytes], bytes | None] = lambda answer: answer[:-1] + bytes((answer[-1] ^ 1,))


ANY = Marks()
"""Of a protocol that nobody has described: every answer acknowledges, and ends with its sum."""


class FaultyTwin:
    """A twin with faults around it; a `Twin` itself, for any line."""

    def __init__(self, twin: Twin, faults: Faults, marks: Marks = ANY) -> None:
        self.twin = twin
        self.faults = faults
        self._marks = marks
        self._electronics = twin if isinstance(twin, Electronics) else None
        self._late_us = 0
        self._dark_until_us: int | None = None
        self._forgets = False
        self._own_overrun_ml = twin.head.overrun_ml
        twin.head.listeners.append(self._head_changed)
        faults.bind(self)

    # --- a twin ---------------------------------------------------------------------------------------------

    @property
    def head(self) -> PumpHead:
        return self.twin.head

    @property
    def reply_latency_us(self) -> int:
        """Of the last answer."""
        return self.twin.reply_latency_us + self._late_us

    @property
    def quiet_answer(self) -> bytes:
        return self.twin.quiet_answer

    def hears(self, data: bytes) -> bool:
        return self.twin.hears(data)

    def has_news(self, now_us: int) -> bool:
        """While something is ordered that changes turns, each turn counts."""
        if self._dark_until_us is not None or self._late_us or self.twin.has_news(now_us):
            return True
        return any(fault.name in ON_THE_LINK or KINDS[fault.name].once for fault in self.faults.active())

    def receive(self, data: bytes, now_us: int) -> bytes:
        """As the twin would answer, with what is ordered done to it."""
        self._late_us = 0
        if self._is_dark(now_us):
            return b""
        for fault in self.faults.active():
            if KINDS[fault.name].once:
                self._happen(fault, now_us)
        if self._is_dark(now_us):
            return b""
        if silent := self.faults.find(FaultName.NO_RESPONSE):
            self.faults.use(silent, now_us)
            return b""
        answer = self.twin.receive(data, now_us)
        for name in ANSWERS:
            ordered = self.faults.find(name)
            changed = self._changed(ordered, answer) if ordered is not None and answer else None
            if ordered is not None and changed is not None:
                answer = changed
                self.faults.use(ordered, now_us)
        return answer

    def _changed(self, fault: Fault, answer: bytes) -> bytes | None:
        """The answer with this done to it; None if it cannot be done to this one."""
        chance = self.faults.chance
        match fault.name:
            case FaultName.GARBAGE:
                return chance.random_bytes(fault.values["bytes"] or len(answer))
            case FaultName.BAD_CRC:
                return self._marks.spoil_sum(answer)
            case FaultName.DROP_BYTE:
                at = chance.below(len(answer))
                return answer[:at] + answer[at + 1 :]
            case FaultName.DUPLICATE:
                return answer * 2
            case FaultName.DELAY:
                self._late_us = fault.values["ms"] * US_PER_MS
                return answer
            case FaultName.LOST_ACK:
                return b"" if self._marks.is_ack(answer) else None
            case _:
                return None

    def _is_dark(self, now_us: int) -> bool:
        """No power; when it comes back, the electronics start from the beginning."""
        if self._dark_until_us is None:
            return False
        if now_us < self._dark_until_us:
            return True
        self._dark_until_us = None
        if self._electronics is not None:
            self._electronics.power_cycle(now_us, forgets=self._forgets)
        return False

    # --- the hand -------------------------------------------------------------------------------------------

    def refusal(self, fault: Fault) -> str:
        """Why this pump cannot have this fault; empty if it can."""
        if fault.name is FaultName.ALARM:
            if self._electronics is None:
                return "pumps of this protocol report no alarms"
            codes, code = self._electronics.alarm_codes, fault.values["code"]
            if code not in codes:
                return f"code={code}: pumps of this protocol report {codes[0]} to {codes[-1]}"
        nozzles = len(self.head.nozzles)
        if fault.name is FaultName.TOTALISER_JUMP and not 1 <= fault.values["nozzle"] <= nozzles:
            return f"nozzle={fault.values['nozzle']}: this pump has {nozzles}"
        return ""

    def begin(self, fault: Fault, now_us: int) -> None:
        """It was ordered."""
        if KINDS[fault.name].once:
            self._happen(fault, now_us)
        elif fault.name is FaultName.OVERRUN:
            self.head.set_overrun(fault.values["ml"], now_us)
        elif fault.name is FaultName.STUCK_TOTALISER:
            self.head.stick_totalisers(now_us, stuck=True)
        self.head.nudge(now_us)

    def end(self, fault: Fault, now_us: int) -> None:
        """It is over."""
        if fault.name is FaultName.OVERRUN:
            self.head.set_overrun(self._own_overrun_ml, now_us)
        elif fault.name is FaultName.STUCK_TOTALISER:
            self.head.stick_totalisers(now_us, stuck=False)

    def _happen(self, fault: Fault, now_us: int) -> None:
        """One occasion of a fault that is over at once."""
        values = fault.values
        match fault.name:
            case FaultName.TOTALISER_JUMP:
                self.head.jump_totaliser(values["nozzle"], values["ml"], now_us)
            case FaultName.ALARM:
                if self._electronics is None or not self._electronics.alarm(values["code"], now_us):
                    return
            case FaultName.POWER_CUT:
                if self._dark_until_us is not None or self.head.volume_ml(now_us) < values["after_ml"]:
                    return
                self.head.forbid(now_us)
                self._dark_until_us = now_us + values["off_ms"] * US_PER_MS
                self._forgets = bool(values["forgets"])
            case _:
                return
        self.faults.use(fault, now_us)

    def _head_changed(self, change: HeadChange, _nozzle: int, at_us: int) -> None:
        """Deliveries and presets are counted where they happen."""
        if change is HeadChange.HUNG_UP and self.head.volume_ml(at_us):
            if stuck := self.faults.find(FaultName.STUCK_TOTALISER):
                self.faults.use(stuck, at_us)
        elif change is HeadChange.PRESET_REACHED and (overrun := self.faults.find(FaultName.OVERRUN)):
            self.faults.use(overrun, at_us)
