"""Renewing the keys of many cards: in any order, with progress, stopped and gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cards.broken import Tear, TornCard
from sim.cards.field import FieldCard
from tests.cards.bench import UID, seeded
from tests.cards.desk import CHEAP, NUMBER, OTHER, PASSPHRASE, THIRD, Desk

BLANK = bytes.fromhex("04000000000B0C")
FIRST_NUMBER, SECOND_NUMBER, THIRD_NUMBER = "700123******0123", "700123******0131", "700123******0149"
ALL_KEYS = "changed keys 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path, monkeypatch)
    (tmp_path / "stack").mkdir()
    (tmp_path / "fleet.csv").write_text(
        f"card_number,entitlement\n{NUMBER},fleet.toml\n{OTHER},fleet.toml\n{THIRD},fleet.toml\n"
    )
    desk.ok("issue", "--batch", tmp_path / "fleet.csv", at=tmp_path / "stack")
    renewed = desk.vault.with_version(2, seeded(9))
    (desk.office / "vault.json").write_bytes(renewed.sealed(PASSPHRASE, seeded(8), CHEAP))
    return desk


@pytest.fixture
def stack(desk: Desk) -> Path:
    """The three cards, as they lie on the desk: line-2.card, line-3.card, line-4.card."""
    return desk.folder / "stack"


def test_all_cards_are_renewed_in_any_order(desk: Desk, stack: Path) -> None:
    (stack / "line-2.card").rename(stack / "z.card")
    said = desk.ok("rotate-keys", "--all", at=stack).splitlines()
    assert said == [
        f"{SECOND_NUMBER}: keys of version 2, {ALL_KEYS} (1 of 3)",
        f"{THIRD_NUMBER}: keys of version 2, {ALL_KEYS} (2 of 3)",
        f"{FIRST_NUMBER}: keys of version 2, {ALL_KEYS} (3 of 3)",
        "3 cards were renewed now",
    ]
    for path in stack.iterdir():
        assert "as it should be, keys of version 2" in desk.ok("verify", at=path)
    assert desk.ok("rotate-keys", "--all", at=stack) == "all of these cards have keys of version 2\n"
    assert NUMBER not in "".join(said)


def test_what_is_left_is_named_and_done_the_next_time(desk: Desk, stack: Path) -> None:
    count = 0

    def second_is_torn(card: FieldCard) -> FieldCard:
        nonlocal count
        count += 1
        return TornCard(card, Tear(25, "after")) if count == 2 else card

    with desk.broken(second_is_torn):
        result = desk.run("rotate-keys", "--all", at=stack)
    assert result.exit_code == 1
    assert "FAILED: the card was taken away too early" in result.output
    assert "2 cards were renewed now, 1 failed" in result.output
    assert f"and start again; 1 are left ({SECOND_NUMBER}): give the same command again, it goes on" in result.output
    said = desk.ok("rotate-keys", "--all", at=stack).splitlines()
    assert said[
        0
    ] == f"the card {tail(desk, NUMBER)} is not one of those that are still to be renewed: put it aside, and " + (
        "the next card on the reader"
    )
    assert said[1].startswith(f"{SECOND_NUMBER}: keys of version 2, changed keys 0, ")
    assert said[1].endswith("(1 of 1)")
    assert "keys of version 2" in desk.ok("verify", at=stack / "line-3.card")


def tail(desk: Desk, number: str) -> str:
    return f"..{desk.register().cards[number][-3:].hex().upper()}"


def test_only_the_cards_of_a_file_and_only_those_in_use(desk: Desk, stack: Path) -> None:
    some = desk.folder / "some.csv"
    some.write_text(f"plates,card_number\n34ABC1,{OTHER}\n,{THIRD}\n")
    desk.ok("wipe", "--card-number", THIRD, at=stack / "line-4.card")
    (stack / "line-4.card").unlink()
    said = desk.ok("rotate-keys", "--batch", some, at=stack).splitlines()
    assert "is not one of those that are still to be renewed" in said[0]
    assert said[1:] == [f"{SECOND_NUMBER}: keys of version 2, {ALL_KEYS} (1 of 1)", "1 cards were renewed now"]
    assert "keys of version 1" in desk.ok("verify", at=stack / "line-2.card")


def test_a_replaced_card_is_not_waited_for(desk: Desk, stack: Path) -> None:
    desk.blank(desk.card, BLANK)
    words = ("--card-number", NUMBER, "--new-number", "7001234567890156", "--entitlement", desk.form)
    desk.ok("replace", *words)
    (stack / "line-2.card").unlink()
    assert desk.ok("rotate-keys", "--all", at=stack).endswith("2 cards were renewed now\n")


def test_a_card_of_another_network_is_left_and_does_not_stop_the_others(desk: Desk, stack: Path) -> None:
    desk.blank(stack / "a.card", UID)
    said = desk.ok("rotate-keys", "--all", at=stack).splitlines()
    assert said[0].startswith("FAILED: ")
    assert said[-1] == "3 cards were renewed now, 1 failed"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--all", "--to-version", "9"), 1, "the vault has no keys of version 9"),
        (("--all", "--batch", "x.csv"), 2, "say which cards: --all, or --batch FILE.csv"),
        (("--batch", "missing.csv"), 1, "missing.csv cannot be read"),
        (("--batch", "strange.csv"), 1, "strange.csv, line 3: this office issued no such card: check the number"),
        (("--batch", "other.csv"), 1, "other.csv, line 1: expected a column card_number"),
        (("--batch", "empty.csv"), 1, "empty.csv names no card"),
    ],
)
def test_what_cannot_be_renewed_is_said_before_a_card_is_touched(
    desk: Desk, stack: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(desk.folder)
    Path("strange.csv").write_text(f"card_number\n{NUMBER}\n7001234567890999\n")
    Path("other.csv").write_text("plates\n34ABC1\n")
    Path("empty.csv").write_text("card_number\n")
    before = {path: path.read_bytes() for path in stack.iterdir()}
    result = desk.run("rotate-keys", *words, at=stack)
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert {path: path.read_bytes() for path in stack.iterdir()} == before
