"""The bench's AZT 2.0 pumps before a master that is not ours: raw bytes and its own check sum, over each cable.

Nothing of the product's AZT code is used here, so that an error that both ends share shows.
"""

from collections.abc import Iterator

import pytest

from tests.bench.foreign import POLLS_MAX, TRANSPORTS, Bench, Wire, bench

CHANNELS = {"pty": (1, 0x02, 0x21), "tcp": (17, 0x07, 0x22), "rfc2217": (45, 0x08, 0x2F)}
"""By cable: the channel, and the two bytes by which it is called."""
BAUD, FRAMING = 4_800, (7, "E", 2)
ACK, NAK, CAN = "ACK", "NAK", "CAN"
METER_ML = 1_234_560
TOML = "reader_ports = []\nprinter = 'none'\nflow_ml_per_s = 4000\n" + "".join(
    f'[[lines]]\nname = "{name}"\nprotocol = "azt2"\ntransport = "{name}"\n'
    f'[[pumps]]\nnumber = {channel}\nline = "{name}"\naddress = {channel}\nlatency_ms = 5\nslow_band_ml = 0\n'
    f'nozzles = [{{ grade = "diesel", price = "40.00", totaliser_ml = {METER_ML}, totaliser_minor = 5000 }}]\n'
    for name, (channel, _, _) in CHANNELS.items()
)


def request(start: int, address: int, text: str) -> bytes:
    """A frame: each byte is followed by its opposite; the sum is over the plain ones."""
    plain = bytes((address,)) + text.encode("ascii")
    check = 0x03
    for byte in plain:
        check ^= byte
    doubled = bytes(out for byte in plain for out in (byte, byte ^ 0x7F))
    return bytes((0x7F, start)) + doubled + b"\x03\x03" + bytes((check | 0x40,))


class Master:
    """One channel's, which writes its own bytes."""

    def __init__(self, wire: Wire, start: int, address: int) -> None:
        self._wire = wire
        self._start, self._address = start, address

    def ask(self, command: int, data: str = "") -> str:
        """The digits of the answer, or ACK, NAK, CAN."""
        self._wire.say(request(self._start, self._address, chr(command) + data))
        sof, kind = self._wire.hear(2)
        assert sof == 0x7F
        if kind != 0x02:
            return {0x06: ACK, 0x15: NAK, 0x18: CAN}[kind]
        heard = self._wire.hear_to(b"\x03\x03", 1)
        pairs, check = heard[:-3], 0x03
        for byte, opposite in zip(pairs[::2], pairs[1::2], strict=True):
            assert byte ^ opposite == 0x7F
            check ^= byte
        assert heard[-1] == check | 0x40
        return pairs[::2].decode("ascii")

    def until(self, status: str) -> None:
        for _ in range(POLLS_MAX):
            if self.ask(0x31) == status:
                return
        pytest.fail(f"never {status}")

    def runs_to(self, volume: int) -> None:
        """Ask for the running volume until it is so much."""
        for _ in range(POLLS_MAX):
            if int(self.ask(0x34)) >= volume:
                return
        pytest.fail(f"never {volume}")

    def damaged(self) -> None:
        """A status request with a wrong sum: nobody answers."""
        wrong = request(self._start, self._address, "1")
        self._wire.say(wrong[:-1] + bytes((wrong[-1] ^ 1,)))
        self._wire.silent(0.1)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("bench"), TOML) as running:
        yield running


@pytest.fixture
def wire(yard: Bench, cable: str) -> Iterator[Wire]:
    made = Wire(yard.lines[cable], BAUD, FRAMING)
    yield made
    made.close()


def test_the_foreign_frames_are_the_published_ones() -> None:
    assert request(0x02, 0x21, "1") == bytes.fromhex("7F 02 21 5E 31 4E 03 03 53")
    assert request(0x02, 0x21, "Q1234") == bytes.fromhex("7F 02 21 5E 51 2E 31 4E 32 4D 33 4C 34 4B 03 03 77")


@pytest.mark.parametrize("cable", TRANSPORTS)
def test_a_foreign_master_sells_and_stops_over_each_cable(yard: Bench, wire: Wire, cable: str) -> None:
    pump, start, address = CHANNELS[cable]
    hands, master = yard.window, Master(wire, start, address)
    master.damaged()
    assert master.ask(0x31) == "0"
    assert len(master.ask(0x50)) == 8
    assert master.ask(0x36) == f"{METER_ML // 10:010d}{5_000:010d}"
    assert master.ask(0x53, "010000") == NAK, "a dose of money: nobody has seen what it looks like"

    assert master.ask(0x51, "4500") == ACK
    assert hands.pump(pump)["nozzles"][0]["price"] == "45.00"

    # Three litres.
    assert master.ask(0x58) == CAN, "no dose yet"
    assert master.ask(0x54, "003000") == ACK
    assert master.ask(0x58) == "003000"
    assert master.ask(0x38) == CAN, "there is nothing to confirm"
    assert master.ask(0x32) == ACK
    assert master.ask(0x31) == "2"
    hands.ask("lift", pump=pump)
    hands.ask("squeeze", pump=pump, volume_ml=60_000)
    master.until("3")
    assert master.ask(0x51, "4600") == CAN, "no new price while fuel runs"
    master.until("40")
    assert master.ask(0x34) == "000300"
    assert master.ask(0x38) == CAN, "the full data were not read yet"
    assert master.ask(0x35) == "00300" + "0013500" + "4500"
    assert master.ask(0x38) == ACK
    assert master.ask(0x31) == "1"
    hands.ask("hang_up", pump=pump)
    master.until("0")

    # A full tank, taken back first, then stopped while it runs.
    assert master.ask(0x54, "999991") == ACK
    hands.ask("lift", pump=pump)
    master.until("1")
    assert master.ask(0x32) == ACK
    hands.ask("squeeze", pump=pump, volume_ml=60_000)
    master.until("3")
    master.runs_to(50)
    assert master.ask(0x33) == ACK
    assert master.ask(0x31) == "40"
    seen = hands.pump(pump)
    assert not seen["flowing"]
    full = master.ask(0x35)
    assert int(full[:5]) == seen["volume_ml"] // 10 >= 50
    assert int(full[5:12]) == seen["amount_minor"]
    assert master.ask(0x38) == ACK
    hands.ask("hang_up", pump=pump)
    master.until("0")
    volume, money = METER_ML + 3_000 + seen["volume_ml"], 5_000 + 13_500 + seen["amount_minor"]
    assert master.ask(0x36) == f"{volume // 10:010d}{money:010d}"
