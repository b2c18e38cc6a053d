"""What a row shows of a person is on disk sealed only, and unreadable for ever once its key is destroyed."""

import typing
from pathlib import Path

import apsw
import msgspec
import pytest

from controller.domain.records import Body, DamagedRow, Delivery, Record, RowName, Stopped, decode_body
from controller.domain.selection import token_of
from controller.domain.tokens import TokenRef
from controller.store.journal import Journal, JournalDamaged
from controller.store.sealing import ERASED, KEY_BYTES
from sim.chance import Chance
from tests.domain.rows import STAMP, authorised, delivery
from tests.store.kept import CAR, CARD
from tests.store.rows import open_journal
from tests.store.years import tokens


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def shown(journal: Journal) -> list[str]:
    tokens_shown = [token_of(body.record) for body in journal.replay()]
    return [token.shown for token in tokens_shown if token]


def raw(path: Path) -> bytes:
    """All bytes of the journal's files."""
    return b"".join(part.read_bytes() for part in sorted(path.parent.glob(path.name + "*")))


def test_a_token_is_sealed_on_disk_and_open_everywhere_else(path: Path) -> None:
    journal = open_journal(path)
    bodies = journal.append([authorised(token=CARD), delivery(token=CAR), delivery(), Stopped("x")], STAMP)
    assert bodies[0].record == authorised(token=CARD)
    assert tuple(journal.replay()) == bodies == tuple(journal.bodies_after(0, 9))
    (row, *_) = journal.rows_after(0, 1)
    on_disk = decode_body(row.body).record
    assert isinstance(on_disk, type(authorised()))
    assert on_disk.token is not None
    assert (on_disk.token.key, on_disk.token.shown) == (CARD.key, "")
    assert len(on_disk.token.sealed) > len(CARD.shown)
    for token in (CARD, CAR):
        assert token.shown.encode() not in raw(path)
    journal.close()


def test_every_token_in_every_record_is_sealed() -> None:
    """A token that stood anywhere but in the field `token` of a record would go to disk open."""

    def inside(kind: object) -> list[str]:
        found = []
        for name, hint in typing.get_type_hints(kind).items():
            for part in (hint, *typing.get_args(hint)):
                if part is TokenRef:
                    found.append(name)
                elif isinstance(part, type) and issubclass(part, msgspec.Struct):
                    found += [f"{name}.{deeper}" for deeper in inside(part)]
        return found

    places = {place for kind in Record.__args__ for place in inside(kind)}
    assert places == {"token"}


def test_the_seals_of_one_token_are_all_different_and_of_two_tokens_under_two_keys(path: Path) -> None:
    journal = open_journal(path)
    journal.append([delivery(token=CARD), delivery(token=CARD), delivery(token=CAR)], STAMP)
    tokens_on_disk = [decode_body(row.body).record.token for row in journal.rows_after(0, 9)]  # type: ignore[union-attr]
    assert len({token.sealed for token in tokens_on_disk if token}) == 3
    assert journal._db.execute("SELECT count(DISTINCT key) FROM subject_keys").get == 2
    journal.close()


def test_keys_outlive_the_process(path: Path) -> None:
    for time in range(3):
        journal = Journal(path, randomness=Chance(time, "keys"))
        journal.begin_epoch(b"epoch--%d" % time)
        journal.append([delivery(token=CARD), delivery(token=CAR)], STAMP)
        assert shown(journal) == [CARD.shown, CAR.shown] * (time + 1)
        journal.close()
    database = apsw.Connection(str(path))
    assert database.execute("SELECT count(*) FROM subject_keys").get == 2
    database.close()


def test_erased_is_erased_and_nobody_else_is(path: Path) -> None:
    journal = open_journal(path)
    journal.append([delivery(token=CARD), delivery(token=CAR), delivery(token=CARD)], STAMP)
    head, head_hash = journal.head, journal.head_hash
    assert journal.erase(CARD.key)
    assert shown(journal) == [ERASED, CAR.shown, ERASED]
    assert journal.verify() == 3
    assert (journal.head, journal.head_hash) == (head, head_hash)
    assert not journal.erase(CARD.key), "there is nothing more to erase"
    journal.append([delivery(token=CARD)], STAMP)
    assert shown(journal) == [ERASED, CAR.shown, ERASED, CARD.shown], "who comes again has a new key"
    journal.close()
    journal = open_journal(path, b"epoch--2")
    assert shown(journal) == [ERASED, CAR.shown, ERASED, CARD.shown]
    assert journal.erase(CARD.key)
    assert shown(journal) == [ERASED, CAR.shown, ERASED, ERASED]
    journal.close()


def test_no_byte_of_a_destroyed_key_is_left_in_the_files(path: Path) -> None:
    journal = open_journal(path)
    people = tokens(140)
    for person in people:
        journal.append([delivery(token=person)], STAMP)
    keys = dict(journal._db.execute("SELECT subject, key FROM subject_keys"))
    assert all(len(key) == KEY_BYTES and key in raw(path) for key in keys.values())
    gone = people[::3]
    for person in gone:
        journal.erase(person.key)
    for person in people:
        assert (keys[person.key] in raw(path)) is (person not in gone)
    journal.close()
    for person in gone:
        assert keys[person.key] not in raw(path)
    assert journal_is_whole(path) == len(people)


def journal_is_whole(path: Path) -> int:
    journal = Journal(path)
    try:
        return journal.verify()
    finally:
        journal.close()


def test_a_refused_commit_takes_its_new_keys_back(path: Path) -> None:
    journal = open_journal(path)
    journal.append([Stopped("one")], STAMP)
    journal._db.execute("INSERT INTO rows VALUES (2, x'00', 'stranger', x'00', x'00')")
    for _ in range(2):
        with pytest.raises(Exception, match="UNIQUE"):
            journal.append([delivery(token=CARD)], STAMP)
    journal._db.execute("DELETE FROM rows WHERE seq = 2")
    journal.append([delivery(token=CARD)], STAMP)
    assert shown(journal) == [CARD.shown]
    assert journal._db.execute("SELECT count(*) FROM subject_keys").get == 1
    journal.close()


def test_a_journal_that_is_only_read_needs_no_randomness_and_one_that_is_written_says_so(path: Path) -> None:
    open_journal(path).close()
    journal = Journal(path)
    journal.begin_epoch(b"epoch--1")
    journal.append([Stopped("without a person")], STAMP)
    with pytest.raises(RuntimeError, match="opened with randomness"):
        journal.append([delivery(token=CARD)], STAMP)
    assert [body.record for body in journal.replay()] == [Stopped("without a person")]
    journal.close()


@pytest.mark.parametrize("seal", [b"\x00", b"\x00\x00\x00\x01" + bytes(30)])
def test_a_seal_that_does_not_fit_is_a_damaged_row(path: Path, seal: bytes) -> None:
    """Its chain may be whole: it was written wrong, or its key was exchanged."""
    journal = open_journal(path)
    journal.append([delivery(token=CARD)], STAMP)
    bent = delivery(token=msgspec.structs.replace(CARD, shown="", sealed=seal))
    assert isinstance(bent, Delivery)
    with pytest.raises(DamagedRow, match="seal"):
        journal._seals.open(Body(RowName(b"epoch--1", 2), STAMP, bent))
    journal._db.execute("UPDATE subject_keys SET key = zeroblob(32)")
    journal._seals._by_number.clear()
    with pytest.raises(JournalDamaged, match=r"row 1: .*does not fit its key"):
        list(journal.replay())
    assert journal.verify() == 1
    journal.close()
