"""Headquarters' check of what cards signed: missing, doubled, forged and differing commits are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

import forecourt
from card_io.committed import read_commands
from card_io.counters import CardDebit, PurseIntent
from card_io.desfire.crypto import CardKey
from card_io.fills import CardFill
from card_io.purse import DebitSession, NoteSession, RefundSession
from card_io.transaction import Changed
from card_io.vault import Vault
from controller.domain.card_proof import OFFICE_READER, CardAct, CardProof, reader_name, station_reader_id
from controller.domain.purse_records import PurseDebited, PurseRefunded
from controller.domain.records import Record, RowName
from controller.domain.tokens import TokenKind, token_key
from sim.cards.card import SimCard
from sim.cards.state import load
from sync.hq.cards.check import CardCheck, Finding, KnownCard, Trouble
from sync.hq.cards.claims import PAGE_SEQS, page_of, proofs_in
from sync.hq.store import Store
from tests.cards import office
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.desk import MASKED, PASSPHRASE, Desk
from tests.cards.office import FILL, INTENT, OFFICE, STATION_KEYS, TODAY, VAULT, VERSION, issued, loaded, run
from tests.cards.office import load as load_purse
from tests.sync.peers import PUBLIC, STATION, Chance, Headquarters, Journal
from tests.sync.test_server import Process

LIST_KEY = bytes(range(32))
CARD_KEY = token_key(LIST_KEY, TokenKind.CARD, NUMBER)
KNOWN = KnownCard(NUMBER, UID)
EPOCH = bytes(range(8))
READER_ID = station_reader_id(12)
OFFICE_SIGN = office.READER_ID


def mac_key(uid: bytes, vault: Vault = VAULT, version: int = VERSION) -> CardKey:
    return vault.card_key(15, version, OFFICE.diversification(uid, 15))


def proof_of(changed: Changed, act: CardAct, amount: int, intent: PurseIntent = INTENT) -> CardProof:
    """As a station puts it into its record."""
    made = changed.proof
    assert made is not None, changed.text
    name = (intent.station, intent.epoch, intent.seq)
    reader = OFFICE_SIGN if act is CardAct.LOAD else READER_ID
    return CardProof(CARD_KEY, act, amount, *name, made.counter, made.value, reader, made.commands)


def intent(seq: int, maximum: int = 50_000) -> PurseIntent:
    return PurseIntent(12, EPOCH, seq, maximum)


def debit(card: SimCard, name: PurseIntent) -> CardProof:
    session = DebitSession(OFFICE, STATION_KEYS, seeded(5), uid=UID, intent=name, reader_id=READER_ID)
    return proof_of(run(session, card), CardAct.DEBIT, name.maximum, name)


def refund(card: SimCard, name: PurseIntent, unused: int, fill: CardFill | None = FILL) -> CardProof:
    session = RefundSession(
        OFFICE,
        STATION_KEYS,
        seeded(6),
        uid=UID,
        intent=name,
        unused=unused,
        fill=fill,
        today=TODAY,
        reader_id=READER_ID,
    )
    return proof_of(run(session, card), CardAct.REFUND, unused, name)


def note(card: SimCard) -> CardProof:
    session = NoteSession(
        OFFICE, STATION_KEYS, seeded(7), uid=UID, reader_id=READER_ID, today=TODAY, fill=FILL, pin_tries=1
    )
    return proof_of(run(session, card), CardAct.NOTE, 0)


def sales() -> list[CardProof]:
    """Six commits of one card: the load at the office, two fills, and a note."""
    card = issued()
    put = load_purse(card, 200_000)
    first, second = intent(1), intent(3)
    return [
        proof_of(put, CardAct.LOAD, 200_000),
        debit(card, first),
        refund(card, first, 12_345),
        debit(card, second),
        refund(card, second, 0),
        note(card),
    ]


LOADED, *SALES = sales()


def checked(*proofs: CardProof, seen: dict[str, int] | None = None) -> list[Finding]:
    """What is found in rows with these proofs, and in the office's log."""
    check = CardCheck({CARD_KEY: KNOWN}.get, mac_key)
    check.take_own("this office", KNOWN, LOADED)
    for at, proof in enumerate(proofs):
        check.take(f"row {at}", proof)
    return check.findings(seen)


def test_true_sales_are_found_true() -> None:
    assert [proof.tmc for proof in (LOADED, *SALES)] == [1, 2, 3, 4, 5, 6]
    assert checked(*SALES) == []
    assert checked(*reversed(SALES)) == [], "rows of several stations come in any order"


def test_a_missing_commit_is_named_with_the_reader_that_made_it() -> None:
    (found,) = checked(SALES[0], SALES[1], SALES[3], SALES[4])
    assert (found.trouble, found.card, found.tmc, found.where) == (Trouble.MISSING, MASKED, 4, ())
    assert found.text.startswith("commit 4 is missing: not sent yet, its answer was lost, or it is hidden")
    assert found.text.endswith("commit 4 was made by station number 12")
    (longer,) = checked(SALES[0], SALES[4])
    assert longer.text.startswith("commits 3 to 5 are missing")


def test_what_comes_after_the_last_known_commit_is_missed_once_the_card_was_seen() -> None:
    assert checked(*SALES[:3]) == []
    (found,) = checked(*SALES[:3], seen={NUMBER: 6})
    assert (found.tmc, found.text.partition(" are")[0]) == (5, "commits 5 to 6")


def test_a_hole_that_may_be_an_open_load_says_so() -> None:
    check = CardCheck({CARD_KEY: KNOWN}.get, mac_key)
    check.take("row", SALES[0])
    (found,) = check.findings(open_loads={NUMBER: 1})
    assert "commit 1 may be the load at this office whose outcome is not known" in found.text


def test_a_doubled_commit_is_named_with_its_rows() -> None:
    (found,) = checked(*SALES, SALES[2])
    assert (found.trouble, found.tmc, found.where) == (Trouble.DOUBLED, 4, ("row 2", "row 5"))
    assert "count it once" in found.text


def test_a_restored_card_signs_one_count_twice() -> None:
    card = loaded()
    state = card.state.copy()
    once = debit(card, intent(1))
    again = debit(SimCard(state, seeded(1)), intent(2))
    assert (once.tmc, again.tmc) == (2, 2)
    (found,) = checked(once, again)
    assert (found.trouble, found.tmc) == (Trouble.DOUBLED, 2)
    assert "the card was restored or copied. Stop this card" in found.text


@pytest.mark.parametrize(
    "change",
    [
        {"tmv": bytes(8)},
        {"tmc": 9},
        {"tmc": 0},
        {"commands": SALES[0].commands.replace((50_000).to_bytes(4, "little"), (90_000).to_bytes(4, "little"))},
        {"commands": b""},
    ],
)
def test_a_forged_commit_is_named_and_fills_no_hole(change: dict[str, object]) -> None:
    forged = msgspec.structs.replace(SALES[0], **change)
    found = checked(forged, *SALES[1:])
    assert [(one.trouble, one.where) for one in found if one.where] == [(Trouble.FORGED, ("row 0",))]
    assert "the card never signed this" in next(one.text for one in found if one.where)
    hole = next(one for one in found if not one.where)
    assert hole.text.startswith("commit 2 is missing")


@pytest.mark.parametrize(
    ("index", "change", "said"),
    [
        (0, {"amount": 49_999}, "a debit of 50000, 0 given back, 0 loaded"),
        (1, {"amount": 12_346}, "a debit of 0, 12345 given back, 0 loaded"),
        (0, {"act": CardAct.NOTE}, "a debit of 50000"),
        (4, {"act": CardAct.DEBIT}, "the debit 0001020304050607-3 of station 12, settled"),
        (0, {"seq": 7}, "the debit 0001020304050607-1 of station 12, open"),
        (1, {"station": 13}, "the debit 0001020304050607-1 of station 12, settled"),
        (3, {"epoch": bytes(8)}, "the debit 0001020304050607-3 of station 12, settled"),
        (0, {"reader_id": bytes(16)}, "it names another reader"),
    ],
)
def test_a_record_that_says_other_than_the_card_is_named(index: int, change: dict[str, object], said: str) -> None:
    proofs = list(SALES)
    proofs[index] = msgspec.structs.replace(SALES[index], **change)
    (found,) = checked(*proofs)
    assert (found.trouble, found.where) == (Trouble.DIFFERS, (f"row {index}",))
    assert said in found.text


def test_readers_are_named() -> None:
    assert reader_name(station_reader_id(0xFFFFFFFF)) == "station number 4294967295"
    assert reader_name(OFFICE_READER) == "headquarters' card office"
    assert reader_name(bytes(16)) == f"the reader {'00' * 16}, which is no station of ours"


def test_another_cards_commit_is_forged_and_an_unknown_hash_is_said() -> None:
    check = CardCheck({CARD_KEY: replace(KNOWN, uid=bytes(7))}.get, mac_key)
    check.take("row", SALES[0])
    assert [found.trouble for found in check.findings()] == [Trouble.FORGED]
    (unknown,) = checked(msgspec.structs.replace(SALES[0], card_key=bytes(8)))
    assert (unknown.trouble, unknown.card) == (Trouble.UNKNOWN_CARD, "hash 0000000000000000")


def test_commands_are_read_back() -> None:
    did = read_commands(SALES[1].commands)
    assert (did.debit, did.limited_credit, did.credit, did.fill) == (0, 12_345, 0, FILL)
    assert did.counters is not None
    assert did.counters.debit == CardDebit(intent(1), "settled")
    assert did.reader_id == READER_ID
    assert read_commands(b"").debit == 0


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        (SALES[0].commands[:16] * 2, "a command stands twice"),
        (b"\xdc\x02".ljust(16, b"\0"), "a command DC to file 02"),
        (b"\x3d\x05".ljust(16, b"\0"), "0 bytes at 0 of file 05"),
        (SALES[0].commands[:-1], "it ends too early"),
        (b"\x3d\x05\0\0\0\x2f\0\0".ljust(16, b"\0") + b"\xff" * 48, "file 05"),
        (b"\x3b\x04\0\0\0\x20\0\0".ljust(16, b"\0") + b"\xff" * 32, "file 04"),
    ],
)
def test_commands_that_no_session_commits_are_refused(commands: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_commands(commands)


def test_claims_are_found_in_any_record_and_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, headquarters = journal_of([PurseDebited(RowName(EPOCH, 1), SALES[0])]), Headquarters()
    for after in range(0, journal.head_seq, 500):
        headquarters.take(journal.batch(after))
    monkeypatch.setattr("sync.hq.cards.claims.PAGE_SEQS", 2)
    first = page_of(headquarters.store, STATION, 0)
    assert first.next_after == 2
    assert [claim.proof for claim in first.claims] == [SALES[0]]
    assert page_of(headquarters.store, STATION, 2).next_after is None
    assert list(proofs_in(PurseRefunded(RowName(EPOCH, 1), 0, None))) == []
    assert PAGE_SEQS > 2


def journal_of(records: list[Record]) -> Journal:
    journal = Journal()
    journal.start(Chance(1))
    for record in records:
        journal.write(record)
    journal.sell()
    return journal


class Network:
    """A card office, its headquarters, one station, and one card that was loaded and used."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.issued()
        assert desk.load(200_000).exit_code == 0
        self.card = SimCard(load(desk.card), seeded(1))
        self.list_key = desk.folder / "list.key"
        self.list_key.write_text(LIST_KEY.hex())
        self.list_key.chmod(0o600)
        forecourt_run("hq", "init", str(desk.folder), "--simulated")
        self.config = desk.folder / "hq.toml"
        forecourt_run("hq", "enrol", "--config", str(self.config), STATION, PUBLIC.hex())

    def debit(self, seq: int) -> CardProof:
        keys = self.desk.vault
        session = DebitSession(OFFICE, keys, seeded(seq), uid=UID, intent=intent(seq), reader_id=READER_ID)
        return proof_of(run(session, self.card), CardAct.DEBIT, 50_000, intent(seq))

    def synced(self, *proofs: CardProof) -> None:
        journal = journal_of([PurseDebited(RowName(EPOCH, proof.seq), proof) for proof in proofs])
        store = Store.open(self.desk.folder / "hq.db")
        try:
            headquarters = Headquarters()
            headquarters.ingest._store = store
            headquarters.take(journal.batch(0))
        finally:
            store.close()

    def check(self) -> Result:
        return forecourt_run(
            *("hq", "check-cards", "--config", str(self.config), "--office", str(self.desk.office)),
            *("--list-key", str(self.list_key)),
        )


def forecourt_run(*words: str) -> Result:
    return CliRunner().invoke(forecourt.main, words, env={"FORECOURT_CARD_PASSPHRASE": PASSPHRASE})


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(Desk(tmp_path, monkeypatch))


def test_the_command_names_what_is_missing_and_forged(network: Network) -> None:
    proofs = [network.debit(seq) for seq in (1, 2, 3)]
    network.synced(proofs[0], msgspec.structs.replace(proofs[1], tmv=bytes(8)), proofs[2])
    result = network.check()
    assert result.exit_code == 1
    forged, missing, total = result.output.splitlines()
    assert forged.startswith(f"forged: card {MASKED}, commit 3, station {STATION} row ")
    assert missing.startswith(f"missing: card {MASKED}, commit 3: commit 3 is missing")
    assert "was made by station number 12" in missing
    assert total == "4 commits of 1 cards checked, 2 to look at"


def test_a_running_headquarters_is_asked(network: Network) -> None:
    network.synced(*(network.debit(seq) for seq in (1, 2)))
    server = Process(network.config)
    try:
        result = network.check()
    finally:
        assert server.stop() == ""
    assert (result.exit_code, result.output) == (0, "3 commits of 1 cards checked, 0 to look at\n")
    assert network.check().output == result.output, "from the database itself"


def test_a_list_key_that_is_none_is_refused(network: Network) -> None:
    network.list_key.write_text("00")
    assert "list.key holds no list key: expected 64 hex digits" in network.check().output
    network.list_key.chmod(0o644)
    assert "can be read by others" in network.check().output
    network.config.unlink()
    network.list_key.write_text(LIST_KEY.hex())
    network.list_key.chmod(0o600)
    result = network.check()
    assert (result.exit_code, "run `forecourt hq init" in result.output) == (1, True)
