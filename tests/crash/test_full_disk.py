"""The disk under the production journal is full while a whole station runs: nothing new, and nothing is lost."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import apsw
import pytest

import tests.station.house
from controller.domain.desk import PayDelivery, PointState
from controller.domain.reasons import Reason
from controller.domain.records import TenderKind
from controller.pumps.dart.transactions import State
from controller.store.journal import Journal
from tests.crash.disk import meant
from tests.station.house import House, live


class FullDisk(apsw.VFS):
    """The machine's own disk, which takes no byte more while it is `full`."""

    name = "full-disk"

    def __init__(self) -> None:
        self.full = False
        self.refused = 0
        super().__init__(self.name, base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FullDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full:
            self._disk.refused += 1
            raise apsw.FullError("no room")
        super().xWrite(data, offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    disk = FullDisk()
    monkeypatch.setattr(tests.station.house, "Journal", functools.partial(Journal, vfs=disk.name))
    with meant():
        yield disk
    disk.unregister()


Tell = Callable[[House], Awaitable[None]]


def _runs(disk: FullDisk, *, killed: bool) -> Tell:
    async def tell(house: House) -> None:
        sale = await house.cash_delivery(2, 4_000)
        await house.calls(1)
        house.show_card(1)
        house.squeeze(1, 9_000)
        await house.state(1, PointState.FUELLING)
        await house.calls(2)

        disk.full = True
        assert (await house.authorise(2)).reason == Reason.JOURNAL_FULL
        assert house.point(2).reason == Reason.JOURNAL_FULL
        assert "free disk space" in house.trouble("journal")
        await house.lease(sale)
        paid = PayDelivery("pay", sale, TenderKind.CASH, 10**6)
        assert (await house.command(paid)).reason == Reason.JOURNAL_FULL
        await house.shown_ml(9_000, 1)
        assert house.point(1).state is PointState.FUELLING, "what runs is not stopped"
        house.hang_up(1)
        house.hang_up(2)
        await house.state(1, PointState.COMPLETED)
        await house.wait(300)
        assert house.twins[1].state is State.COMPLETED, "the pump keeps what no disk has"
        assert house.books.sums.deliveries == 1
        assert disk.refused > 100

        disk.full = False
        if killed:
            await house.kill()
            await house.start()
        await house.until(lambda: house.books.sums.deliveries == 2 and house.books.sums.sales == 1, 60)
        await house.until(lambda: house.point(1).state is PointState.IDLE, 60)
        assert not house.trouble("journal")
        assert (await house.pay(sale)).done
        await house.until(lambda: len(house.slips) == 2, 30)
        house.assert_books_agree(deliveries=2)
        assert house.deliveries[-1].account == "KUZEY"
        assert house.kinds.count("authorised") == 2, "nothing was allowed on a full disk"

    return tell


@pytest.mark.parametrize("killed", [False, True])
def test_a_full_disk_refuses_what_is_new_and_keeps_what_runs(tmp_path: Path, disk: FullDisk, killed: bool) -> None:
    live(tmp_path, _runs(disk, killed=killed))
