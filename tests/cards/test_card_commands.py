"""`forecourt card ...` with simulated cards: what it does, and what it says when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import forecourt
from card_io.errors import ReleaseForged
from card_io.release import Release, verified_release
from controller.domain.card_proof import OFFICE_READER
from sim.cards.broken import GarbageCard, wrong_key_card
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, SilentCard
from sim.cards.make import make_uid_only_card
from tests.cards.bench import UID, seeded
from tests.cards.desk import FORM, MASKED, NUMBER, OTHER, PASSPHRASE, THIRD, Desk

OTHER_UID = bytes.fromhex("04998877665544")
ISSUE = ("issue", "--card-number", NUMBER, "--entitlement")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def words_of(desk: Desk, command: str) -> list[str | Path]:
    """A command with what it needs for the card NUMBER."""
    words: dict[str, list[str | Path]] = {
        "issue": [*ISSUE, desk.form],
        "read": ["read"],
        "verify": ["verify"],
        "load": ["load", "--card-number", NUMBER, "--amount", "500"],
        "rotate-keys": ["rotate-keys"],
        "wipe": ["wipe", "--any-card"],
    }
    return words[command]


def test_a_card_is_issued_read_and_verified(desk: Desk) -> None:
    said = desk.issue()
    assert f"card {MASKED}, UID ..D4E5F6: created the application; created files 01, 02, 03, 04, 05, 0F" in said
    assert said.endswith("gave the card a key of its own\n")
    read = desk.ok("read")
    for line in (
        f"card          {MASKED}, ACME FLT1, UID ..D4E5F6",
        "may           lpg, 2026-01-01 to 2028-12-31, number 5",
        "limit         80000 ml, 500000 minor units TRY a fill",
        "plates        34ABC123",
        "purse         0 minor units, 0 commits",
        "fills         none",
    ):
        assert line in read.splitlines()
    assert desk.ok("verify") == f"card {MASKED}, UID ..D4E5F6: as it should be, keys of version 1\n"
    assert desk.issue() == f"card {MASKED}, UID ..D4E5F6: it was complete already\n"
    assert desk.register().cards == {NUMBER: UID}


def test_a_card_may_be_left_without_a_key_of_its_own(desk: Desk) -> None:
    assert "a key of its own" not in desk.ok(*ISSUE, desk.form, "--no-lock")
    assert "gave the card a key of its own" in desk.issue()


def test_value_is_loaded_once_for_each_command_and_signed_by_the_card(desk: Desk) -> None:
    desk.issued()
    assert desk.load(50_000).output == f"loaded 50000 onto {MASKED}\nin the purse: 50000\n"
    assert desk.load(1).output == f"loaded 1 onto {MASKED}\nin the purse: 50001\n"
    assert desk.purse() == 50_001
    (first, proof), (_, second) = desk.register().proofs
    assert (first, proof.tmc, proof.amount, second.tmc) == (NUMBER, 1, 50_000, 2)
    assert proof.reader_id == OFFICE_READER
    refused = desk.load(2_000_000)
    assert refused.exit_code == 1
    assert "beyond the file's limits" in refused.output
    assert desk.purse() == 50_001


@pytest.mark.parametrize("command", ["issue", "read", "verify", "load", "rotate-keys", "wipe"])
@pytest.mark.parametrize("broken", ["silent", "garbage", "uid only", "wrong keys"])
def test_a_strange_card_is_a_sentence_and_exit_code_1(desk: Desk, command: str, broken: str) -> None:
    desk.issued()
    log = (desk.office / "log.jsonl").read_bytes()

    def wrap(card: FieldCard) -> FieldCard:
        assert isinstance(card, SimCard)
        strange: dict[str, Callable[[], FieldCard]] = {
            "silent": SilentCard,
            "garbage": lambda: GarbageCard(card, seeded(3)),
            "uid only": lambda: make_uid_only_card(bytes(4), seeded(3)),
            "wrong keys": lambda: wrong_key_card(card.state, seeded(3)),
        }
        return strange[broken]()

    with desk.broken(wrap):
        result = desk.run(*words_of(desk, command))
    assert result.exit_code == 1
    sentence = result.output.strip()
    assert "\n" not in sentence
    assert ": " in sentence, "what happened, and what to do"
    expected = {"silent": "take the card away", "wrong keys": "do not accept this card", "garbage": ":"}
    assert expected.get(broken, "the card") in sentence
    assert (desk.office / "log.jsonl").read_bytes() == log, "nothing was done to it"
    assert desk.ok("verify").endswith("keys of version 1\n")


@pytest.mark.parametrize("command", ["read", "verify", "load", "rotate-keys", "wipe"])
def test_a_blank_card_is_not_ours(desk: Desk, command: str) -> None:
    result = desk.run(*words_of(desk, command))
    assert result.exit_code == 1
    assert result.output == "the card does not carry this network's application: use another card\n"


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("command", ["issue", "rotate-keys"])
def test_a_torn_card_is_made_whole_by_the_same_command(desk: Desk, command: str, heard: bool) -> None:
    if command == "rotate-keys":
        desk.issued()
        rotate_vault(desk)
    words = words_of(desk, command)
    frames = desk.frames(*words)
    blank, log = desk.card.read_bytes(), desk.office / "log.jsonl"
    before = log.read_bytes()
    for at in range(1 if heard else 2, frames + 1, 17):
        desk.card.write_bytes(blank)
        log.write_bytes(before)
        with desk.torn(at, heard=heard):
            torn = desk.run(*words)
        assert torn.exit_code == 1, f"torn at frame {at}"
        assert torn.output == "the card was taken away too early: hold the card still on the reader until it is read\n"
        desk.ok(*words)
        assert "as it should be" in desk.ok("verify"), f"torn at frame {at}"


def rotate_vault(desk: Desk) -> None:
    newer = desk.vault.with_version(2, seeded(9)).sealed(PASSPHRASE, seeded(8), 12)
    (desk.office / "vault.json").write_bytes(newer)


@pytest.mark.parametrize("heard", [False, True])
def test_a_load_that_was_torn_is_never_done_twice(desk: Desk, heard: bool) -> None:
    desk.issued()
    assert desk.load(1_000).exit_code == 0
    loaded, log = desk.card.read_bytes(), desk.office / "log.jsonl"
    before = log.read_bytes()
    frames = desk.frames("load", "--card-number", NUMBER, "--amount", "500")
    codes = set()
    for at in range(frames, frames - 6, -1):  # the commit is the last command
        desk.card.write_bytes(loaded)
        log.write_bytes(before)
        with desk.torn(at, heard=heard):
            torn = desk.load(500)
        codes.add(torn.exit_code)
        if torn.exit_code == 3:
            assert "give the same command again: it finds out, and never loads twice" in torn.output
        again = desk.load(500)
        assert again.exit_code == 0
        assert again.output.endswith("in the purse: 1500\n"), f"torn at frame {at}"
        assert desk.purse() == 1_500
        assert not desk.register().open_loads
    assert codes == {1, 3}, "known to be undone before the commit, unknown at it"


def test_a_load_that_the_card_cannot_settle_asks_a_person(desk: Desk) -> None:
    desk.issued()
    frames = desk.frames("load", "--card-number", NUMBER, "--amount", "500")
    with desk.torn(frames, heard=True):
        assert desk.load(500).exit_code == 3
    unknown = (desk.office / "log.jsonl").read_bytes()
    assert desk.load(500).exit_code == 0
    assert desk.load(70).exit_code == 0
    (desk.office / "log.jsonl").write_bytes(unknown)  # as if the other loads were made somewhere else
    asked = desk.load(500)
    assert asked.exit_code == 1
    assert "look for its commit 1 with forecourt hq check-cards" in asked.output
    assert desk.purse() == 570
    words = ("load", "--card-number", NUMBER, "--amount", "500", "--earlier-load")
    assert "counts as applied, by the operator's word" in desk.ok(*words, "applied")
    assert desk.purse() == 570
    (desk.office / "log.jsonl").write_bytes(unknown)
    assert f"loaded 500 onto {MASKED}" in desk.ok(*words, "not_applied")
    assert desk.purse() == 1_070


def test_keys_are_rotated_to_the_newest_version(desk: Desk) -> None:
    desk.issued()
    assert desk.ok("rotate-keys") == "card ..D4E5F6: keys of version 1, nothing to change\n"
    rotate_vault(desk)
    said = desk.ok("rotate-keys")
    assert said == "card ..D4E5F6: keys of version 2, changed keys 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n"
    assert desk.ok("verify").endswith("keys of version 2\n")
    assert "the vault has no key" in desk.run("rotate-keys", "--to-version", "7").output
    assert desk.ok("verify").endswith("keys of version 2\n")


def test_a_wiped_card_is_blank_and_its_number_is_never_given_again(desk: Desk) -> None:
    desk.issued()
    desk.load(10)
    kept = desk.run("wipe", "--card-number", NUMBER)
    assert (kept.exit_code, kept.output[:33]) == (1, "there is 10 in the card's purse: ")
    assert desk.ok("wipe", "--card-number", NUMBER, "--lose-purse").startswith("card ..D4E5F6: wiped")
    assert "does not carry this network's application" in desk.run("read").output
    again = desk.run(*ISSUE, desk.form)
    assert again.exit_code == 1
    assert f"the number {MASKED} was on a card that was wiped" in again.output
    desk.issue(OTHER)
    assert desk.ok("verify").startswith("card 700123******0131")


def test_only_the_card_that_was_named_is_wiped_or_loaded(desk: Desk) -> None:
    other = desk.blank(desk.folder / "other.card", OTHER_UID)
    desk.issued()
    desk.issue(OTHER, at=other)
    assert "this is not the card that is to be wiped" in desk.run("wipe", "--card-number", OTHER).output
    assert "this is card 700123******0123, not 700123******0131" in desk.load(5, number=OTHER).output
    assert "this office issued no card 700123******0149" in desk.run("wipe", "--card-number", THIRD).output
    assert desk.purse() == 0


def test_a_half_made_card_is_wiped_and_its_number_is_free_again(desk: Desk) -> None:
    with desk.torn(60, heard=True):
        assert desk.run(*ISSUE, desk.form).exit_code == 1
    assert desk.register().cards == {NUMBER: UID}
    other = desk.blank(desk.folder / "other.card", OTHER_UID)
    taken = desk.run(*ISSUE, desk.form, at=other)
    assert taken.exit_code == 1
    assert (
        f"the number {MASKED} is on the card ..D4E5F6 already, and this is ..665544: present the card" in taken.output
    )
    desk.ok("wipe", "--any-card")
    desk.issue(at=other)
    assert desk.register().cards == {NUMBER: OTHER_UID}


def test_a_card_that_is_taken_leaves_the_number_free(desk: Desk) -> None:
    desk.issued()
    (desk.office / "log.jsonl").unlink()  # the office knows nothing of it: the card itself has to say so
    taken = desk.run("issue", "--card-number", OTHER, "--entitlement", desk.form)
    assert (taken.exit_code, taken.output.partition(":")[0]) == (1, f"the card already is card {MASKED}")
    desk.issue(OTHER, at=desk.blank(desk.folder / "other.card", OTHER_UID))


def test_a_lost_card_is_replaced_by_a_new_number(desk: Desk) -> None:
    new = desk.blank(desk.folder / "new.card", OTHER_UID)
    words = ("replace", "--card-number", NUMBER, "--new-number", OTHER, "--entitlement", desk.form)
    assert f"this office issued no card {MASKED}" in desk.run(*words, at=new).output
    desk.issued()
    said = desk.ok(*words, at=new)
    assert "card 700123******0131, UID ..665544: created the application" in said
    assert f"now stop the old card: give {MASKED} the status stopped" in said
    assert desk.register().cards == {NUMBER: UID, OTHER: OTHER_UID}


@pytest.mark.parametrize(
    "words",
    [
        ("issue",),
        ("issue", "--card-number", NUMBER),
        ("issue", "--batch", "x.csv", "--card-number", NUMBER),
        ("wipe",),
        ("wipe", "--any-card", "--card-number", NUMBER),
        ("replace", "--card-number", NUMBER, "--new-number", NUMBER, "--entitlement", "x"),
        ("replace", "--card-number", NUMBER, "--new-number", OTHER),
        ("load", "--card-number", NUMBER, "--amount", "0"),
        ("read", "--reader", "also"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).exit_code == 2


def test_without_a_reader_or_a_simulated_card_there_is_nothing_to_do(desk: Desk) -> None:
    result = desk.run("read", desk=False)
    assert (result.exit_code, "--reader PATTERN, or --simulated FILE.card" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("number", "form", "said"),
    [
        ("12345", FORM, "a card number has 8 to 19 digits"),
        (NUMBER, "product_set = 5", "is no entitlement"),
        (NUMBER, FORM.replace("2028", "2020"), "the last day of validity is before the first"),
        (NUMBER, FORM + "[night]\n", "unknown field"),
    ],
)
def test_what_is_filled_in_wrong_is_said_before_the_card_is_touched(
    desk: Desk, number: str, form: str, said: str
) -> None:
    blank = desk.card.read_bytes()
    desk.form.write_text(form)
    result = desk.run("issue", "--card-number", number, "--entitlement", desk.form)
    assert result.exit_code == 1
    assert said in result.output
    assert desk.card.read_bytes() == blank


def test_files_that_are_not_there_are_named(desk: Desk) -> None:
    missing = desk.folder / "missing"
    assert f"{missing} cannot be read (No such file" in desk.run(*ISSUE, missing).output
    assert "--new makes one (forecourt sim card FILE.card --new)" in desk.run("read", at=missing).output
    elsewhere = desk.run("read", "--simulated", desk.card, "--office", missing, desk=False)
    assert elsewhere.exit_code == 1
    assert "make one with: forecourt keys init" in elsewhere.output
    (desk.office / "cards.toml").write_text('aid = "F5"\n')
    assert "describes no cards" in desk.run("read").output


def test_the_passphrase_comes_from_a_private_file_the_environment_or_the_keyboard(desk: Desk) -> None:
    desk.issued()
    secret = desk.folder / "secret"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o644)
    words = ["card", "verify", "--office", str(desk.office), "--simulated", str(desk.card)]

    def said(*more: str, typed: str = "") -> str:
        return (
            CliRunner()
            .invoke(forecourt.main, [*words, *more], input=typed, env={"FORECOURT_CARD_PASSPHRASE": ""})
            .output
        )

    assert "can be read by others; run: chmod 600" in said("--passphrase-file", str(secret))
    secret.chmod(0o600)
    assert "as it should be" in said("--passphrase-file", str(secret))
    assert "as it should be" in said(typed=PASSPHRASE + "\n")
    assert "the passphrase is wrong, or the file of card keys was changed" in said(typed="another one, long\n")
    assert "has at least 12 characters" in said(typed="short\n")
    assert "the passphrase is needed: type it, or give --passphrase-file" in said()
    secret.write_bytes(b"\n"[:0])
    assert "holds no passphrase" in said("--passphrase-file", str(secret))


def test_two_commands_do_not_work_in_one_office_at_once(desk: Desk) -> None:
    second: list[str] = []

    def meanwhile(card: FieldCard) -> FieldCard:
        with desk.broken(lambda card: card):
            second.append(desk.run("read").output)
        return card

    with desk.broken(meanwhile):
        desk.ok(*ISSUE, desk.form)
    assert second == [f"another command works in {desk.office}: wait until it is done\n"]


def test_a_log_that_was_cut_off_goes_on_and_a_damaged_one_is_refused(desk: Desk) -> None:
    desk.issued()
    log = desk.office / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"type":"issu')
    desk.ok("rotate-keys")
    assert log.read_bytes().startswith(whole)
    assert len(desk.register().cards) == 1
    log.write_bytes(b"{}\n" + whole)
    assert "log.jsonl, line 1: no event of a card office" in desk.run("read").output


def test_a_card_that_was_changed_is_found_out(desk: Desk) -> None:
    desk.issued()
    (desk.office / "cards.toml").write_text(
        (desk.office / "cards.toml").read_text().replace("max = 1000000", "max = 9")
    )
    result = desk.run("verify")
    assert result.exit_code == 1
    assert f"card {MASKED}, UID ..D4E5F6: file 03 has another size or other limits\n" in result.output


def test_no_command_shows_a_key_or_a_whole_card_number(desk: Desk) -> None:
    desk.issued()
    desk.load(5)
    rotate_vault(desk)
    for command in ("read", "verify", "rotate-keys"):
        desk.ok(command)
    desk.run("wipe", "--card-number", NUMBER)
    assert NUMBER not in desk.said
    for version in desk.vault.for_station(1, 2).values():
        for master in version.values():
            assert master not in desk.said


def test_a_release_is_signed_for_one_debit_at_one_station(desk: Desk) -> None:
    def release(*words: str) -> tuple[int, str]:
        result = desk.run("release", "--office", desk.office, *words, desk=False)
        return result.exit_code, result.output.strip()

    words = ("--station", "12", "--debit", "0001020304050607-4711")
    code, text = release(*words, "--amount", "500")
    assert code == 0
    assert verified_release(text, 12, [desk.vault.public_key])[0] == Release(12, bytes(range(8)), 4711, 500)
    with pytest.raises(ReleaseForged):
        verified_release(text, 13, [desk.vault.public_key])
    assert release(*words, "--amount", "500") == (0, text), "told again"
    assert release(*words, "--amount", "501") == (
        1,
        "500 were released of this debit already: a debit is released once",
    )
    assert "names no debit" in release("--station", "12", "--debit", "4711", "--amount", "5")[1]
