"""What headquarters signed is taken whole; what is broken, forged or for another list is refused: the old one stays."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.list_digests import bucket_of, differing, digests_text, first_key, parse_digests
from controller.domain.list_parts import FileKind, Header, Taker, open_signed, sign
from controller.domain.quantities import CURRENCIES
from controller.domain.tokens import Assurance, card_token, list_key_print
from controller.office.whitelist_making import verifier
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import Provenance, WhitelistError, about_of
from controller.store.whitelist_import import Way, import_files
from controller.store.whitelist_lines import BadLines
from controller.store.whitelist_signed import MAGIC, SignedFile, build_delta, build_list, build_repair
from controller.store.whitelist_taking import Finding, Taken, examine, station_digests, take

SECRET = b"\x07" * 32
WAY = Way(SECRET, CURRENCIES["TRY"], ZoneInfo("Europe/Istanbul"))
TAKER = Taker(list_key_print(SECRET), "TRY")
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OWN = verifier(KEY.public_key())
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)


class Office(NamedTuple):
    """A folder in which headquarters makes files and a station takes them."""

    folder: Path

    @property
    def db(self) -> Path:
        return self.folder / "whitelist.db"

    def whole(self, version: int, cards: dict[int, str], key: Ed25519PrivateKey = KEY, way: Way = WAY) -> Path:
        source, target = self.folder / f"{version}.csv", self.folder / f"{version}.list"
        source.write_text("card,account\n" + "".join(f"{card},{account}\n" for card, account in cards.items()))
        build_list(target, [source], way, version, 1_000 * version, key.sign)
        return target

    def delta(self, old: Path, new: Path) -> Path:
        target = self.folder / f"{old.stem}-{new.stem}.delta"
        with SignedFile(old, OWN) as before, SignedFile(new, OWN) as after:
            build_delta(target, before, after, KEY.sign)
        return target

    def repair(self, new: Path, digests: list[bytes]) -> Path:
        target = self.folder / f"{new.stem}.repair"
        with SignedFile(new, OWN) as file:
            build_repair(target, file, digests, KEY.sign)
        return target

    def take(self, source: Path) -> Taken:
        return take(self.db, source, TAKER, OWN)

    def account(self, card: int) -> str | None:
        listed = Whitelist(self.db)
        row = listed.look_up(card_token(SECRET, str(card), Assurance.PROVEN).key).row
        listed.close()
        return None if row is None else row.account


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def cards(first: int = 10_000_000, count: int = 300, account: str = "ACME") -> dict[int, str]:
    return dict.fromkeys(range(first, first + count), account)


OLD = cards()
NEW = OLD | {10_000_007: "MOVED"} | cards(20_000_000, 3, "FRESH")
del NEW[10_000_010]


def sizes(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir() if entry.suffix in {".new", ".runs"}}


def test_a_signed_list_is_taken_and_found_again(office: Office) -> None:
    taken = office.take(office.whole(5, OLD))
    assert (taken.kind, taken.about.count, taken.about.version) == (FileKind.LIST, len(OLD), 5)
    assert taken.about.made_at_ms == 5_000
    assert office.account(10_000_007) == "ACME"
    assert office.account(20_000_000) is None
    found, about = examine(office.db, OWN)
    assert (found, about) == (Finding.SIGNED, taken.about)
    assert not sizes(office.folder)


def test_a_list_that_is_in_place_already_is_left_alone(office: Office) -> None:
    source = office.whole(5, OLD)
    office.take(source)
    before = office.db.stat().st_ino
    assert office.take(source).already
    assert office.db.stat().st_ino == before


def test_a_delta_makes_the_old_list_into_the_new_one_and_is_small(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    delta = office.delta(old, new)
    assert delta.stat().st_size < new.stat().st_size / 10
    office.take(old)
    taken = office.take(delta)
    assert (taken.kind, taken.about.version, taken.about.count) == (FileKind.DELTA, 6, len(NEW))
    assert [office.account(card) for card in (10_000_007, 10_000_010, 20_000_002)] == ["MOVED", None, "FRESH"]
    assert examine(office.db, OWN)[0] is Finding.SIGNED
    with SignedFile(new, OWN) as file:
        assert station_digests(office.db) == file.digests, "as if the new list had been taken whole"
    assert office.take(delta).already


def test_a_station_sells_by_the_old_list_until_the_new_one_is_in_place(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    office.take(old)
    listed = Whitelist(office.db)
    key = card_token(SECRET, "10000007", Assurance.PROVEN).key
    seen: list[str | None] = []

    def sells(what: str, done: int, out_of: int) -> None:
        row = listed.look_up(key).row
        seen.append(None if row is None else row.account)

    take(office.db, office.delta(old, new), TAKER, OWN, sells)
    assert set(seen) == {"ACME"}
    assert listed.look_up(key).version == 6
    assert listed.trouble == ""
    listed.close()


def test_an_import_of_the_same_rows_is_a_list_that_a_delta_fits(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    import_files(office.db, [office.folder / "5.csv"], WAY, Provenance(77, 0, "", ""))
    assert examine(office.db, OWN)[0] is Finding.SOUND
    assert office.take(office.delta(old, new)).about.version == 6


def test_a_list_that_differs_is_repaired_by_the_buckets_that_differ(office: Office) -> None:
    new = office.whole(6, NEW)
    import_files(office.db, [], WAY, Provenance(1, 0, "", ""))
    other = NEW | {10_000_100: "WRONG"} | {30_000_000: "NOT THERE"}
    del other[10_000_200]
    source = office.folder / "other.csv"
    source.write_text("card,account\n" + "".join(f"{card},{account}\n" for card, account in other.items()))
    import_files(office.db, [source], WAY, Provenance(3, 0, "", ""))
    mine = station_digests(office.db)
    with SignedFile(new, OWN) as file:
        assert len(differing(mine, file.digests)) == 3
    repair = office.repair(new, parse_digests(digests_text(mine)))
    taken = office.take(repair)
    assert (taken.kind, taken.buckets, taken.about.version) == (FileKind.REPAIR, 3, 6)
    assert [office.account(card) for card in (10_000_100, 10_000_200, 30_000_000)] == ["ACME", "ACME", None]
    assert examine(office.db, OWN)[0] is Finding.SIGNED
    again = station_digests(office.db)
    assert office.take(office.repair(new, again)).buckets == 0


def test_rows_that_changed_on_the_disk_are_found_and_repaired(office: Office) -> None:
    new = office.whole(6, NEW)
    office.take(new)
    key = card_token(SECRET, "10000100", Assurance.PROVEN).key
    with sqlite3.connect(office.db) as database:
        (value,) = database.execute("SELECT value FROM entries WHERE key = ?", [key]).fetchone()
        database.execute("UPDATE entries SET value = ? WHERE key = ?", [value.replace(b"ACME", b"EVIL"), key])
    database.close()
    with pytest.raises(WhitelistError, match="its entries are not those that were put in place: get a repair"):
        examine(office.db, OWN)
    digests = station_digests(office.db)
    # A digest in the file that hides it is not believed either.
    with sqlite3.connect(office.db) as database:
        database.execute("UPDATE buckets SET digest = ? WHERE bucket = ?", [digests[bucket_of(key)], bucket_of(key)])
    database.close()
    assert office.take(office.repair(new, digests)).buckets == 1
    assert examine(office.db, OWN)[0] is Finding.SIGNED


def test_a_signature_over_another_list_is_noticed(office: Office) -> None:
    office.take(office.whole(5, OLD))
    header = about_of(office.db)
    assert header is not None
    import_files(office.db, [office.folder / "5.csv"], WAY, Provenance(5, 0, "", ""))
    office.whole(6, NEW)
    import_files(office.db, [office.folder / "6.csv"], WAY, Provenance(5, 0, "", "", header.header))
    with pytest.raises(WhitelistError, match="not the list that headquarters signed"):
        examine(office.db, OWN)
    with pytest.raises(WhitelistError, match="not signed by this station's headquarters"):
        examine(office.db, verifier(STRANGER.public_key()))


def resigned(path: Path, change: Callable[[Header], Header], key: Ed25519PrivateKey = KEY) -> None:
    """The file with another header under a signature."""
    data = path.read_bytes()
    length = int.from_bytes(data[-len(MAGIC) - 4 : -len(MAGIC)], "big")
    end = len(data) - len(MAGIC) - 4
    header = sign(change(open_signed(data[end - length : end], OWN)), key.sign)
    path.write_bytes(data[: end - length] + header + len(header).to_bytes(4, "big") + MAGIC)


def spoil(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip(at: int) -> Callable[[Path], object]:
    def change(data: bytearray) -> None:
        data[at] ^= 1

    return lambda path: spoil(path, change)


def cut(size: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def header(**fields: object) -> Callable[[Path], object]:
    return lambda path: resigned(path, lambda held: msgspec.structs.replace(held, **fields))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (lambda path: path.write_text("card,account\n"), "it is no signed list"),
    "an empty file": (cut(0), "it is no signed list"),
    "only a beginning": (cut(len(MAGIC) + 3), "it was cut off"),
    "half of it": (lambda path: cut(path.stat().st_size // 2)(path), "it was cut off, or has something behind it"),
    "something behind it": (
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        "it was cut off, or has something",
    ),
    "a changed part": (flip(len(MAGIC) + 40), "its parts are not those that headquarters signed"),
    "a changed header": (flip(-200), "it is not signed by this station's headquarters"),
    "a changed length": (flip(-len(MAGIC) - 1), "cannot be read"),
    "a stranger's": (
        lambda path: resigned(path, lambda held: held, STRANGER),
        "it is not signed by this station's headquarters",
    ),
    "another format": (header(format=99), "it has format 99, known here is 1: update"),
    "another list key": (header(list_key_print="00" * 8), "it was made for the list key 0000000000000000"),
    "another currency": (header(currency="UAH"), "its amounts are in UAH, and this station sells in TRY"),
    "an older version": (header(version=4), "it is version 4, older than version 5 in place"),
    "the same version": (header(version=5), "it is another version 5 than the one in place"),
    "another result": (header(root=b"\0" * 32), "is not the one that headquarters signed"),
    "another delta's base": (
        header(kind=FileKind.DELTA, base_root=b"\0" * 32, base_version=2),
        "it changes version 2, and the list in place is version 5 or differs",
    ),
    "missing parts": (
        lambda path: resigned(path, lambda held: msgspec.structs.replace(held, parts=held.parts[1:])),
        "its parts are not those that headquarters signed",
    ),
    "parts out of order": (
        lambda path: resigned(path, lambda held: msgspec.structs.replace(held, parts=held.parts[::-1])),
        "names a bucket twice or out of order",
    ),
    "another digest": (
        lambda path: resigned(
            path,
            lambda held: msgspec.structs.replace(
                held, parts=(msgspec.structs.replace(held.parts[0], digest=b"\0" * 16), *held.parts[1:])
            ),
        ),
        "does not come out as headquarters signed it",
    ),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_broken_or_forged_is_refused_with_its_reason_and_the_old_list_stays(
    office: Office, change: Callable[[Path], object], why: str
) -> None:
    office.take(office.whole(5, OLD))
    before = hashlib.sha256(office.db.read_bytes()).digest()
    source = office.whole(6, NEW)
    change(source)
    with pytest.raises(WhitelistError) as caught:
        office.take(source)
    assert str(caught.value).startswith(f"{source} is not taken: ")
    assert why in str(caught.value)
    assert hashlib.sha256(office.db.read_bytes()).digest() == before
    assert not sizes(office.folder)


def bomb(path: Path) -> None:
    """A part that inflates beyond any bucket, signed all the same."""
    import zlib

    packed = zlib.compress(b"\0" * (80 << 20), 9)
    data = path.read_bytes()
    length = int.from_bytes(data[-len(MAGIC) - 4 : -len(MAGIC)], "big")
    held = open_signed(data[-len(MAGIC) - 4 - length : -len(MAGIC) - 4], OWN)
    part = msgspec.structs.replace(held.parts[0], size=len(packed))
    new = msgspec.structs.replace(held, parts=(part,), body_hash=hashlib.sha256(packed).digest())
    signed = sign(new, KEY.sign)
    path.write_bytes(MAGIC + packed + signed + len(signed).to_bytes(4, "big") + MAGIC)


def test_a_part_that_inflates_without_end_is_refused(office: Office) -> None:
    source = office.whole(5, OLD)
    bomb(source)
    with pytest.raises(WhitelistError, match="is above 67108864 bytes"):
        office.take(source)
    assert not office.db.exists()


def test_a_delta_is_for_one_list_only(office: Office) -> None:
    one, two, three = office.whole(1, OLD), office.whole(2, NEW), office.whole(3, cards(count=10))
    first, second = office.delta(one, two), office.delta(two, three)
    with pytest.raises(WhitelistError, match="there is no list here that it could change: get a whole list"):
        office.take(first)
    office.take(one)
    with pytest.raises(WhitelistError, match="it changes version 2, and the list in place is version 1 or differs"):
        office.take(second)
    assert office.account(10_000_299) == "ACME"
    office.take(first)
    office.take(second)
    with pytest.raises(WhitelistError, match="it is version 2, older than version 3 in place"):
        office.take(first)


def test_a_delta_on_damaged_rows_is_refused_and_the_way_out_is_said(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    office.take(old)
    bucket = bucket_of(card_token(SECRET, "10000007", Assurance.PROVEN).key)
    with sqlite3.connect(office.db) as database:
        database.execute("INSERT INTO entries SELECT ?, kind, value FROM entries LIMIT 1", [first_key(bucket)])
    database.close()
    with pytest.raises(WhitelistError, match=r"does not come out as headquarters signed it: .* get a repair"):
        office.take(office.delta(old, new))


def test_a_list_that_cannot_be_read_is_replaced_by_a_whole_one_only(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    office.db.write_bytes(b"no list at all" * 1_000)
    with pytest.raises(WhitelistError, match="cannot be read"):
        office.take(office.delta(old, new))
    assert office.take(new).about.version == 6


def test_pages_that_cannot_be_read_are_said_with_the_way_out(office: Office) -> None:
    old, new = office.whole(5, OLD), office.whole(6, NEW)
    office.take(old)
    delta = office.delta(old, new)
    data = bytearray(office.db.read_bytes())
    with sqlite3.connect(office.db) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'").fetchone()
    database.close()
    data[(page - 1) * 4_096 : page * 4_096] = b"\xa5" * 4_096
    office.db.write_bytes(data)
    with pytest.raises(WhitelistError, match=r"the list in place is damaged.*get a whole list"):
        office.take(delta)
    with pytest.raises(WhitelistError, match="cannot be read"):
        examine(office.db, OWN)
    with pytest.raises(WhitelistError, match="cannot be read"):
        station_digests(office.db)
    assert office.take(new).about.version == 6


def test_headquarters_makes_nothing_of_files_that_do_not_fit_together(office: Office) -> None:
    one, two = office.whole(1, OLD), office.whole(2, NEW)
    delta = office.delta(one, two)
    with pytest.raises(WhitelistError, match="is version 1, not later than version 2"):
        office.delta(two, one)
    with pytest.raises(WhitelistError, match="is a delta: a whole list is needed here"):
        office.delta(one, delta)
    with pytest.raises(WhitelistError, match="is a delta: a whole list is needed here"):
        office.repair(delta, [])
    other = office.whole(3, OLD, way=Way(b"\x08" * 32, WAY.currency, WAY.zone))
    with pytest.raises(WhitelistError, match="are of other list keys or currencies"):
        office.delta(one, other)
    foreign = office.whole(4, OLD, STRANGER)
    with pytest.raises(WhitelistError, match="not signed by this station's headquarters"):
        office.delta(one, foreign)
    source = office.folder / "9.csv"
    source.write_text("card,account\n10000001,A\n10000001,A\n")
    with pytest.raises(BadLines):
        build_list(office.folder / "9.list", [source], WAY, 9, 0, KEY.sign)
    assert not (office.folder / "9.list").exists()
    assert not sizes(office.folder)


def test_an_empty_list_is_a_list(office: Office) -> None:
    assert office.take(office.whole(1, {})).about.count == 0
    full = office.whole(2, OLD)
    assert office.take(office.delta(office.whole(1, {}), full)).about.count == len(OLD)
    assert office.take(office.delta(full, office.whole(3, {}))).about.count == 0
    assert examine(office.db, OWN)[0] is Finding.SIGNED
