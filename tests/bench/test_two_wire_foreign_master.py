"""The bench's two-wire pumps before a master that is not ours: raw words and its own check sum, over each cable.

Nothing of the product's two-wire code is used here, so that an error that both ends share shows.
"""

from collections.abc import Iterator

import pytest

from tests.bench.foreign import POLLS_MAX, TRANSPORTS, Bench, Wire, bench

PUMPS = {"pty": 3, "tcp": 15, "rfc2217": 16}
"""The pump's number on the line of each cable."""
BAUD, FRAMING = 5_787, (8, "E", 1)
OFF, CALL, BUSY, PEOT, FEOT, STOPPED = 0x6, 0x7, 0x9, 0xA, 0xB, 0xC
QUIET_S = 0.07
"""After a command without an answer."""
METER_ML = 1_234_560
TOML = "reader_ports = []\nprinter = 'none'\nflow_ml_per_s = 4000\n" + "".join(
    f'[[lines]]\nname = "{name}"\nprotocol = "two-wire"\ntransport = "{name}"\n'
    f'[[pumps]]\nnumber = {number}\nline = "{name}"\naddress = {number}\nlatency_ms = 5\nslow_band_ml = 0\n'
    f'nozzles = [{{ grade = "diesel", price = "40.00", totaliser_ml = {METER_ML}, totaliser_minor = 5000 }}]\n'
    for name, number in PUMPS.items()
)


def lrc(words: bytes) -> int:
    """Over FF to FB: what brings the sum of the low halves to a multiple of 16."""
    return 0xE0 | -sum(word & 0xF for word in words) & 0xF


def digits(value: int, count: int) -> bytes:
    """Data words, the last digit first."""
    return bytes(0xE0 | value // 10**place % 10 for place in range(count))


def number(words: bytes) -> int:
    assert all(word >> 4 == 0xE for word in words)
    return sum((word & 0xF) * 10**place for place, word in enumerate(words))


class Master:
    """One pump's, which writes its own words."""

    def __init__(self, wire: Wire, pump: int) -> None:
        self._wire = wire
        self._id = pump % 16

    def poll(self) -> int:
        self._wire.say(bytes((self._id,)))
        (status,) = self._wire.hear(1)
        assert status & 0xF == self._id
        return status >> 4

    def until(self, status: int) -> None:
        for _ in range(POLLS_MAX):
            if self.poll() == status:
                return
        pytest.fail(f"never {status:X}")

    def command(self, code: int) -> None:
        """One without an answer: the line stays quiet, and then the pump may be polled."""
        self._wire.say(bytes((code << 4 | self._id,)))
        self._wire.silent(QUIET_S)

    def stop_all(self) -> None:
        self._wire.say(b"\xfc")
        self._wire.silent(QUIET_S)

    def polls_another(self) -> None:
        self._wire.say(bytes((self._id + 1 & 0xF,)))
        self._wire.silent(QUIET_S)

    def data(self, inner: str | bytes, *, spoilt: int = 0) -> int:
        """Announce a block and send it; returns the status after it, which is 0 if the pump did not like it."""
        self._wire.say(bytes((0x20 | self._id,)))
        assert self._wire.hear(1) == bytes((0xD0 | self._id,))
        inner = bytes.fromhex(inner) if isinstance(inner, str) else inner
        words = bytes((0xFF, 0xE0 | -(len(inner) + 3) & 0xF)) + inner + b"\xfb"
        self._wire.say(words + bytes((lrc(words) ^ spoilt, 0xF0)))
        self._wire.silent(0.02)
        return self.poll()

    def block(self, code: int) -> bytes:
        """What the pump answers by a block, taken out of its frame."""
        self._wire.say(bytes((code << 4 | self._id,)))
        words = self._wire.hear_to(b"\xf0")
        assert words[0] == 0xFF
        assert words[-3] == 0xFB
        assert words[-2] == lrc(words[:-2])
        return words[1:-3]

    def runs_to(self, money: int) -> None:
        """Ask for the running money until it is so much."""
        for _ in range(POLLS_MAX):
            self._wire.say(bytes((0x60 | self._id,)))
            if number(self._wire.hear(6)) >= money:
                return
        pytest.fail(f"never {money}")

    def transaction(self) -> tuple[int, int, int]:
        """Price, volume and money of the delivery, by the places that they have among 33 words."""
        words = self.block(4)
        assert len(words) == 33 - 4
        assert words[0] & 0xF0 == 0xF0
        assert words[1] == 0xF8
        assert words[7:9] == b"\xf6\xe0", "the first grade"
        assert words[9] == 0xF4
        assert (words[10], words[15], words[22]) == (0xF7, 0xF9, 0xFA)
        return number(words[11:15]), number(words[16:22]), number(words[23:29])

    def totals(self) -> tuple[int, int, int]:
        """Volume, money and first price of the only grade."""
        words = self.block(5)
        assert len(words) == 34 - 4
        assert words[:3] == b"\xf6\xe0\xf9"
        assert (words[11], words[20], words[25]) == (0xFA, 0xF4, 0xF5)
        return number(words[3:11]), number(words[12:20]), number(words[21:25])


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("bench"), TOML) as running:
        yield running


@pytest.fixture
def wire(yard: Bench, cable: str) -> Iterator[Wire]:
    made = Wire(yard.lines[cable], BAUD, FRAMING)
    yield made
    made.close()


def test_the_foreign_check_sum_is_the_published_one() -> None:
    captured = bytes.fromhex(
        "FF F1 F8 EB E1 E0 E0 E2 F6 E2 F4 F7 E0 E7 E0 E1 F9 E0 E6 E3 E3 E2 E0 FA E0 E0 E0 E5 E2 E0 FB EC F0"
    )
    assert lrc(captured[:-2]) == captured[-2]
    assert lrc(bytes.fromhex("FF E5 F2 F4 F8 E0 E0 E0 E5 E0 FB")) == 0xEE


@pytest.mark.parametrize("cable", TRANSPORTS)
def test_a_foreign_master_sells_holds_and_stops_over_each_cable(yard: Bench, wire: Wire, cable: str) -> None:
    pump, hands = PUMPS[cable], yard.window
    master = Master(wire, pump)
    assert master.poll() == OFF
    assert master.totals() == (METER_ML // 10, 5_000, 4_000)

    # A price, and its check sum damaged first: the pump says so, and keeps the old one.
    price = bytes.fromhex("F4 F6 E0 F7") + digits(4_500, 4)
    assert master.data(price, spoilt=1) == 0
    assert hands.pump(pump)["nozzles"][0]["price"] == "40.00"
    assert master.data(price) == OFF
    assert hands.pump(pump)["nozzles"][0]["price"] == "45.00"

    # Ninety of money: two litres.
    assert master.data(bytes.fromhex("F2 F4 F8") + digits(9_000, 5)) == OFF
    master.command(1)
    hands.ask("lift", pump=pump)
    master.until(BUSY)
    hands.ask("squeeze", pump=pump, volume_ml=60_000)
    master.runs_to(9_000)
    hands.ask("hang_up", pump=pump)
    master.until(PEOT)
    assert master.transaction() == (4_500, 200, 9_000)
    assert master.poll() == PEOT, "until somebody else is spoken to"
    master.polls_another()
    assert master.poll() == OFF

    # No preset: stopped, let go on, stopped by the word for all.
    hands.ask("lift", pump=pump)
    master.until(CALL)
    master.command(1)
    assert master.poll() == BUSY
    hands.ask("squeeze", pump=pump, volume_ml=60_000)
    master.runs_to(1)
    master.command(3)
    assert master.poll() == STOPPED
    held = hands.pump(pump)
    assert not held["flowing"]
    master.command(1)
    assert master.poll() == BUSY
    assert hands.pump(pump)["volume_ml"] > held["volume_ml"]
    master.stop_all()
    assert master.poll() == STOPPED
    ran_ml = hands.pump(pump)["volume_ml"]
    hands.ask("hang_up", pump=pump)
    master.until(FEOT)
    _, volume, money = master.transaction()
    assert volume == ran_ml // 10
    assert money == hands.pump(pump)["amount_minor"]
    assert master.totals() == ((METER_ML + 2_000 + ran_ml) // 10, 5_000 + 9_000 + money, 4_500)
    assert master.poll() == OFF, "asked for its totals, it has been left"
