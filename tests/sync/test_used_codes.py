"""Codes of one use: headquarters tells each station of those that others have used, as long as they live."""

import msgspec
import sqlalchemy as sa

from controller.domain.codes import Scanned
from controller.domain.headquarters import UsedCode
from controller.domain.records import GENESIS, Allotted, Body, Record, Released, RowName, seal_row
from sync.hq.schema import oddities
from sync.hq.store import Store
from sync.hq.used_codes import TOLD_MAX, USED_TWICE
from tests.domain.rows import CARD, EPOCH, STAMP, authorised

HERE, THERE = "TR-1", "TR-2"
NOW_MS, UNTIL_MS = 1_790_000_000_000, 1_790_000_300_000
NONCE = bytes(range(8))


class Network:
    """Headquarters and two stations, whose rows come without any wire."""

    def __init__(self) -> None:
        self.store = Store.in_memory()
        self.journals: dict[str, tuple[int, bytes]] = {}
        for station in (HERE, THERE):
            self.store.enrol(station, station.encode().ljust(32), NOW_MS)
            self.journals[station] = 0, GENESIS

    def writes(self, station: str, record: Record, epoch: bytes = EPOCH) -> RowName:
        after, before = self.journals[station]
        body = Body(RowName(epoch, after + 1), STAMP, record)
        row = seal_row(before, body)
        self.store.append(station, after, before, [(row, body)], NOW_MS)
        self.journals[station] = after + 1, row.hash
        return body.name

    def uses(self, station: str, nonce: bytes = NONCE, until_ms: int = UNTIL_MS, *, epoch: bytes = EPOCH) -> RowName:
        allowed = authorised(token=CARD)
        evidence = msgspec.structs.replace(allowed.evidence, code=Scanned(nonce, NOW_MS, until_ms))
        return self.writes(station, msgspec.structs.replace(allowed, evidence=evidence), epoch)

    def told(self, station: str, now_ms: int = NOW_MS) -> tuple[UsedCode, ...]:
        """With the next acknowledgement."""
        return self.store.append(station, *self.journals[station], [], now_ms).used_codes

    @property
    def oddities(self) -> list[tuple[str, str]]:
        with self.store.commit() as db:
            return [(each.station_id, each.what) for each in db.execute(sa.select(oddities))]


def test_a_used_code_is_told_to_other_stations_until_its_end() -> None:
    network = Network()
    network.uses(HERE)
    assert network.told(THERE) == (UsedCode(NONCE, UNTIL_MS),)
    assert network.told(THERE) == (UsedCode(NONCE, UNTIL_MS),), "an answer may be lost: it is told again"
    assert network.told(HERE) == (), "it knows"
    assert network.told(THERE, UNTIL_MS) == ()
    assert network.oddities == []


def test_a_code_that_nothing_came_of_is_told_no_more_and_one_in_doubt_is() -> None:
    network = Network()
    for proven in (True, False):
        name = network.uses(HERE)
        network.writes(HERE, Released(name, "hung up", proven))
        assert bool(network.told(THERE)) is not proven


def test_a_code_that_two_stations_took_is_for_a_person_to_look_at() -> None:
    network = Network()
    network.writes(HERE, Released(network.uses(HERE), "hung up", proven=True))
    network.uses(HERE)
    assert network.oddities == [], "it proved that nothing came of the first"
    network.uses(THERE)
    assert network.oddities == [(THERE, USED_TWICE)]


def test_of_too_many_those_are_told_that_live_longest() -> None:
    network = Network()
    for number in range(TOLD_MAX + 5):
        network.uses(HERE, number.to_bytes(8, "big"), UNTIL_MS + number)
    told = network.told(THERE)
    assert len(told) == TOLD_MAX
    assert min(code.until_ms for code in told) == UNTIL_MS + 5


def test_a_station_whose_disk_went_back_is_told_of_codes_that_it_has_forgotten() -> None:
    network = Network()
    kept, lost = b"kept....", b"lost...."
    network.uses(HERE, kept)
    backup = network.journals[HERE]
    network.uses(HERE, lost)
    assert network.told(HERE) == ()
    network.journals[HERE] = backup
    network.writes(HERE, Allotted("a", "account:ACME", 1, "", ""), b"restored")
    assert network.told(HERE) == (UsedCode(lost, UNTIL_MS),)
    assert {code.nonce for code in network.told(THERE)} == {kept, lost}
    network.uses(HERE, b"another.", epoch=b"restored")
    assert network.told(HERE) == (UsedCode(lost, UNTIL_MS),), "its own it knows"
    assert network.oddities == []
    network.uses(HERE, lost, epoch=b"restored")
    assert network.oddities == [(HERE, USED_TWICE)], "before it was told"


def test_a_station_with_an_empty_disk_is_told_of_all_its_codes() -> None:
    network = Network()
    network.uses(HERE)
    network.journals[HERE] = 0, GENESIS
    network.writes(HERE, Allotted("a", "account:ACME", 1, "", ""), b"restored")
    assert network.told(HERE) == (UsedCode(NONCE, UNTIL_MS),)
