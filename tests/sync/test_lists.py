"""Lists over the link: published at headquarters, fetched piece by piece, put in place or refused with the reason."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.config import load
from controller.domain.headquarters import LinkState
from controller.domain.seams import US_PER_S
from controller.store.whitelist_file import WHITELIST_FILE, about_of
from forecourt import main
from sim.loop import VirtualClock, VirtualLoop, run
from sync.hq.config import load_config
from sync.hq.lists import Lists
from sync.hq.office import Office
from sync.hq.programmes.desk import Desk
from sync.hq.serve import build_app
from sync.link import StationLink
from sync.list_fetch import EVERY_US, REFUSED_US
from sync.list_files import ListFiles
from sync.runner import LinkDown, Refused
from sync.transport import HttpTransport
from sync.wire import (
    BATCHES_PATH,
    LISTS_PATH,
    ListAsk,
    ListPiece,
    Malformed,
    SignatureWrong,
    StationUnknown,
    WireError,
    pack_list_ask,
    pack_list_piece,
    unpack_list_piece,
)
from tests.store.test_whitelist_commands import CARDS, Town
from tests.sync.peers import KEY, STATION, WALL_MS, Chance, Headquarters, Journal


class InPlace(ListFiles):
    """Without a thread, for virtual time."""

    full = False
    free = 1 << 40
    """Bytes of the disk."""

    async def held(self) -> int:
        return self._held()

    async def fetched(self, name: str, size: int) -> int:
        return self._fetched(name, size)

    async def add(self, name: str, offset: int, data: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self._add(name, offset, data)

    async def take(self, name: str) -> str:
        return self._take(name)

    async def drop(self) -> None:
        self._drop()

    def _free(self) -> int:
        return self.free


class Street(Town):
    """A town whose station has a link."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hq = Headquarters()
        self.lists = Lists(folder / "lists", self.hq.store)
        self.asked: list[str] = []
        self.states: list[LinkState] = []
        self.down_at = 0
        """The link breaks at this question for a list, counted from 1."""

    def publish(self, text: str, *more: str) -> str:
        (self.folder / "cards.csv").write_text(text)
        words = ("--key", self.path("hq/headquarters.key"), "--list-key", str(self.station / "keys" / "list.key"))
        where = ("--currency", "TRY", "--time-zone", "Europe/Istanbul", self.path("lists"), self.path("cards.csv"))
        done = CliRunner().invoke(main, ["whitelist", "publish", *words, *more, *where])
        assert done.exit_code == 0, done.output
        return done.output

    async def post(self, path: str, body: bytes) -> bytes:
        try:
            if path == BATCHES_PATH:
                return self.hq.ingest.receive(body, WALL_MS)
            assert path == LISTS_PATH
            answer = self.lists.answer(self.lists.asked(body))
        except WireError as error:
            raise Refused(str(error)) from error
        self.asked.append(unpack_list_piece(answer).name)
        if len(self.asked) == self.down_at:
            raise LinkDown("the cable is cut")
        return answer

    @property
    def version(self) -> int:
        about = about_of(self.station / "data" / WHITELIST_FILE)
        return 0 if about is None else about.version

    def live(self, tell: Callable[["Street", VirtualClock, InPlace], Awaitable[None]]) -> None:
        async def story(loop: VirtualLoop) -> None:
            clock = VirtualClock(loop, WALL_MS)
            files = InPlace(load(self.station / "station.toml"))
            journal = Journal()
            journal.start(Chance(1))
            link = StationLink(
                station=STATION,
                key=KEY,
                outbox=journal,
                transport=self,
                clock=clock,
                randomness=Chance(2),
                lists=files,
            )
            link.on_state(self.states.append)
            running = loop.create_task(link.run())
            try:
                await wait(clock, 5 * US_PER_S)
                await tell(self, clock, files)
            finally:
                running.cancel()

        run(story)


async def wait(clock: VirtualClock, us: int) -> None:
    await clock.sleep_until(clock.now().mono_us + us)


def fleet(size: int) -> str:
    """A list that takes several pieces."""
    return CARDS + "".join(f"{8_000_000_000_000_000 + n},,,FLEET-{n},active,diesel,,,\n" for n in range(size))


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def test_what_is_published_is_at_the_station_within_minutes_by_list_and_then_by_deltas(street: Street) -> None:
    assert re.fullmatch(r"1\.list: 4 entries, \d+ bytes\n", street.publish(CARDS))

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 1
        said = street.publish(CARDS.replace("stopped", "active"))
        assert re.fullmatch(r"2\.list: 4 entries, \d+ bytes\n1-2\.delta: 1 of 4096 buckets, \d+ bytes\n", said)
        street.publish(CARDS.replace("KUZEY", "DOGU"))
        street.asked.clear()
        await wait(clock, EVERY_US)
        assert street.version == 3
        assert street.asked == ["1-2.delta", "1-2.delta", "2-3.delta", "2-3.delta", ""]
        assert street.here("verify").output == "4 entries, version 3: every digest is right; signed by headquarters\n"
        assert street.publish(CARDS.replace("KUZEY", "DOGU")) == "nothing has changed since version 3: it stays\n"
        street.asked.clear()
        await wait(clock, EVERY_US)
        assert street.asked == [""]

    street.live(tell)
    assert sorted(path.name for path in (street.folder / "lists").iterdir()) == [
        "1-2.delta",
        "2-3.delta",
        "2.list",
        "3.list",
    ]


def test_a_list_of_many_pieces_goes_on_where_it_was_broken_off(street: Street) -> None:

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        street.publish(fleet(4_000))
        street.down_at = len(street.asked) + 3
        await wait(clock, EVERY_US)
        assert street.version == 0
        here = street.station / "data" / "incoming" / "1.list"
        assert 0 < here.stat().st_size < (street.folder / "lists" / "1.list").stat().st_size
        await wait(clock, 31 * US_PER_S)
        assert street.version == 1
        assert not here.exists()

    street.live(tell)
    pieces = -(-(street.folder / "lists" / "1.list").stat().st_size // (48 << 10))
    assert pieces > 3
    assert street.asked.count("1.list") == pieces + 3, "the first word twice, and the piece that got lost"


def test_a_station_with_another_list_gets_the_whole_one(street: Street) -> None:
    street.publish(CARDS)
    street.publish(CARDS.replace("KUZEY", "DOGU"))
    street.here("import", "--version", "1", street.path("cards.csv"))

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 2
        assert "2.list" in street.asked
        street.here("import", "--version", "77", street.path("cards.csv"))
        await wait(clock, EVERY_US)
        assert street.version == 2, "headquarters' list follows any that was imported"

    street.live(tell)


def test_a_delta_that_does_not_fit_is_followed_by_the_whole_list(street: Street) -> None:
    street.publish(CARDS)
    street.publish(CARDS.replace("KUZEY", "DOGU"))
    lists = street.folder / "lists"
    (lists / "1-2.delta").write_bytes((lists / "1-2.delta").read_bytes()[:-1])
    street.here("apply", str(lists / "1.list"))

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 2
        assert list(dict.fromkeys(street.asked)) == ["1-2.delta", "2.list", ""]
        assert not street.states[-1].list_trouble

    street.live(tell)


def test_a_list_that_is_not_taken_is_said_and_tried_again_after_an_hour(street: Street) -> None:
    public = street.station / "keys" / "headquarters.pub"
    right = public.read_text()
    public.write_text("00" * 32)
    street.publish(CARDS)

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 0
        assert "1.list is not taken, the old list stays: " in street.states[-1].list_trouble
        assert "not signed by this station's headquarters" in street.states[-1].list_trouble
        asked = street.asked.count("1.list")
        await wait(clock, 2 * EVERY_US)
        assert street.asked.count("1.list") == asked + 2, "only whether there is another"
        public.write_text(right)
        await wait(clock, REFUSED_US)
        assert street.version == 1
        assert not street.states[-1].list_trouble

    street.live(tell)


def test_headquarters_that_does_not_count_on_is_said_and_nothing_is_fetched(street: Street) -> None:
    street.publish(CARDS, "--version", "40")
    street.here("apply", street.path("lists/40.list"))
    (street.folder / "lists" / "40.list").unlink()
    street.publish(CARDS.replace("KUZEY", "DOGU"))

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert "has list version 1, and the one in place is version 40" in street.states[-1].list_trouble
        assert "publish --version 41" in street.states[-1].list_trouble
        assert set(street.asked) == {"1.list"}
        street.publish(CARDS.replace("KUZEY", "DOGU"), "--version", "41")
        await wait(clock, EVERY_US)
        assert street.version == 41
        assert not street.states[-1].list_trouble

    street.live(tell)


def test_a_full_disk_is_said_and_the_link_goes_on(street: Street) -> None:
    street.publish(CARDS)

    async def tell(street: Street, clock: VirtualClock, files: InPlace) -> None:
        files.full = True
        street.publish(CARDS.replace("KUZEY", "DOGU"))
        await wait(clock, EVERY_US)
        assert "free disk space" in street.states[-1].list_trouble
        assert street.states[-1].connected
        files.full = False
        await wait(clock, EVERY_US)
        assert street.version == 2

    street.live(tell)


def test_headquarters_gives_lists_to_enrolled_stations_only_and_no_other_files(street: Street) -> None:
    street.publish(CARDS)
    with pytest.raises(StationUnknown):
        street.lists.asked(pack_list_ask(ListAsk("st-9", 0), KEY))
    forged = pack_list_ask(ListAsk(STATION, 0), Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(SignatureWrong):
        street.lists.asked(forged)
    (street.folder / "secret").write_text("x")
    for name in ("../secret", "secret", "1.list\n", "/etc/hostname", "01.list", "1.list.delta"):
        with pytest.raises(Malformed):
            street.lists.asked(pack_list_ask(ListAsk(STATION, 0, name=name), KEY))
        with pytest.raises(Malformed):
            unpack_list_piece(pack_list_piece(ListPiece(name, 1)))
    gone = street.lists.answer(ListAsk(STATION, 0, name="7.list"))
    assert unpack_list_piece(gone) == ListPiece()
    nowhere = Lists(None, street.hq.store).answer(ListAsk(STATION, 0))
    assert unpack_list_piece(nowhere) == ListPiece()


@pytest.mark.parametrize("large", [False, True], ids=["on a thread", "in a process of its own"])
def test_a_list_is_taken_beside_the_loop(street: Street, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    street.publish(CARDS)
    monkeypatch.setattr("sync.list_files.LARGE_BYTES", 0 if large else 1 << 20)
    data = (street.folder / "lists" / "1.list").read_bytes()

    async def main() -> None:
        files = ListFiles(load(street.station / "station.toml"))
        for content, why in ((data[:-1], "it was cut off"), (data, "")):
            assert await files.fetched("1.list", len(content)) == 0
            await files.add("1.list", 0, content)
            said = await files.take("1.list")
            assert why in said
            assert bool(why) == bool(said)
        assert await files.held() == 1

    asyncio.run(main())


def test_headquarters_server_gives_the_folder_that_its_file_names(street: Street) -> None:
    street.publish(CARDS)
    made = CliRunner().invoke(main, ["hq", "init", street.path("office"), "--simulated"])
    assert made.exit_code == 0, made.output
    path = street.folder / "office" / "hq.toml"
    path.write_text(path.read_text().replace('# lists = "lists"', 'lists = "../lists"'))
    config, desk = load_config(path), Desk(street.hq.store.commit, ())
    office = Office(config, path, street.hq.store, desk, lambda: WALL_MS)
    app = build_app(config, street.hq.store, lambda: WALL_MS, desk, office.routes)

    async def ask() -> None:
        wire = httpx.ASGITransport(app)  # type: ignore[arg-type]  # litestar's own words for the same thing
        async with HttpTransport("http://hq", transport=wire) as transport:
            answer = await transport.post(LISTS_PATH, pack_list_ask(ListAsk(STATION, 0), KEY))
            assert unpack_list_piece(answer).name == "1.list"
            with pytest.raises(Refused, match="not enrolled"):
                await transport.post(LISTS_PATH, pack_list_ask(ListAsk("st-9", 0), KEY))

    asyncio.run(ask())


def test_publishing_what_cannot_be_leaves_the_folder_as_it_was(street: Street) -> None:
    street.publish(CARDS)
    (street.folder / "cards.csv").write_text("card,account\n1,A\n")
    where = ("--currency", "TRY", "--time-zone", "Europe/Istanbul", street.path("lists"), street.path("cards.csv"))
    words = ("--key", street.path("hq/headquarters.key"), "--list-key", str(street.station / "keys" / "list.key"))
    done = street.run("publish", *words, *where)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "Nothing was published"
    assert [path.name for path in (street.folder / "lists").iterdir()] == ["1.list"]
    (street.folder / "cards.csv").write_text(CARDS)
    older = street.run("publish", *words, "--version", "1", *where)
    assert older.stderr.startswith("version 1 is not later than version 1 in ")
    assert "no time zone" in street.run("publish", *words, *where[:2], "--time-zone", "Mars", *where[4:]).stderr
