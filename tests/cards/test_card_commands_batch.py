"""Many cards from a CSV: progress, lines that fail, and a batch that is stopped and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from card_io import errors
from sim.cards.broken import Tear, TornCard
from sim.cards.field import FieldCard, SilentCard
from sim.cards.slot import SimulatedSlot
from sync.hq.cards.batch import BatchLine, parse_batch, run_batch
from sync.hq.cards.network import OfficeError
from tests.cards.desk import FORM, NUMBER, OTHER, THIRD, Desk

HEAD = "card_number,entitlement,plates,pin\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def stack(desk: Desk) -> Path:
    """Where simulated blank cards come from."""
    folder = desk.folder / "stack"
    folder.mkdir()
    return folder


def csv(desk: Desk, *lines: str) -> Path:
    path = desk.folder / "batch.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


THREE = (f"{NUMBER},fleet.toml,34ABC1,", f"{OTHER},fleet.toml,34ABC2 34 ABC3,", f"{THIRD},fleet.toml,,")


def test_a_batch_makes_a_card_of_each_line(desk: Desk, stack: Path) -> None:
    batch = csv(desk, *THREE)
    said = desk.ok("issue", "--batch", batch, at=stack).splitlines()
    assert said[0].startswith("line 2, 700123******0123: done, card ..")
    assert said[2].endswith("(3 of 3)")
    assert said[3:] == ["3 cards were made now"]
    assert "plates        34ABC2, 34, ABC3" in desk.ok("read", at=stack / "line-3.card")
    assert "plates        34ABC123" in desk.ok("read", at=stack / "line-4.card")
    again = desk.ok("issue", "--batch", batch, at=stack)
    assert again == "3 of 3 cards are done already\n0 cards were made now\n"
    assert NUMBER not in (desk.folder / "batch.csv.done").read_text()


def test_a_line_that_failed_is_named_and_made_the_next_time(desk: Desk, stack: Path) -> None:
    batch = csv(desk, *THREE)
    count = 0

    def second_is_torn(card: FieldCard) -> FieldCard:
        nonlocal count
        count += 1
        return TornCard(card, Tear(40, "after")) if count == 2 else card

    with desk.broken(second_is_torn):
        result = desk.run("issue", "--batch", batch, at=stack)
    assert result.exit_code == 1
    assert "line 3, 700123******0131: FAILED: the card was taken away too early: hold the card still" in result.output
    assert "2 cards were made now\nfailed: line 3; give the same command again: it goes on" in result.output
    said = desk.ok("issue", "--batch", batch, at=stack)
    assert said.startswith("2 of 3 cards are done already\nline 3, 700123******0131: done")
    for line in (2, 3, 4):
        assert "as it should be" in desk.ok("verify", at=stack / f"line-{line}.card")


def test_a_batch_that_was_killed_goes_on_where_it_was(desk: Desk, stack: Path) -> None:
    batch = csv(desk, *THREE)
    desk.ok("issue", "--batch", batch, at=stack)
    done = desk.folder / "batch.csv.done"
    lines = done.read_bytes().splitlines(keepends=True)
    done.write_bytes(lines[0] + lines[1][:20])  # killed while it noted the second card, which was complete
    said = desk.ok("issue", "--batch", batch, at=stack)
    assert said.startswith("1 of 3 cards are done already\nline 3, 700123******0131: done")
    assert said.endswith("2 cards were made now\n"), "the cards were complete already, and are the same ones"
    assert len(done.read_bytes().splitlines()) == 3
    assert len(desk.register().cards) == 3


def test_a_batch_stops_when_the_next_card_would_fare_no_better(desk: Desk) -> None:
    slot = SimulatedSlot(desk.card)
    made: list[int] = []
    said: list[str] = []
    noted: list[bytes] = []

    def issue(line: BatchLine) -> bytes:
        if len(made) == 1:
            raise errors.ReaderGone("the reader is gone")
        made.append(line.line)
        return bytes(7)

    lines = parse_batch(HEAD + "\n".join(THREE), "b.csv", lambda name: FORM.encode())
    result = run_batch(lines, set(), slot, issue, noted.append, said.append)
    assert (result.done, result.failed, result.left) == (1, (), 2)
    assert result.stopped.startswith("line 3, 700123******0131: the reader is gone: check the reader's cable")
    assert len(noted) == len(said) == 1


def test_a_silent_card_does_not_stop_the_others(desk: Desk, stack: Path) -> None:
    cards: list[FieldCard] = []

    def first_is_silent(card: FieldCard) -> FieldCard:
        cards.append(card)
        return SilentCard() if len(cards) == 1 else card

    with desk.broken(first_is_silent):
        result = desk.run("issue", "--batch", csv(desk, *THREE), at=stack)
    assert result.exit_code == 1
    assert "2 cards were made now\nfailed: line 2;" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number,entitlement\n", "line 1: expected the columns card_number, entitlement, and perhaps plates and pin"),
        (HEAD, "b.csv names no card"),
        (HEAD + f"{NUMBER},fleet.toml\n", "line 2: expected 4 fields, as in line 1"),
        (HEAD + f"{NUMBER},fleet.toml,,,,\n", "line 2: expected 4 fields, as in line 1"),
        (HEAD + f"{NUMBER},fleet.toml,,\n" * 2, "line 3: the card number stands in line 2 already"),
        (HEAD + f"{NUMBER},missing.toml,,\n", "line 2: missing.toml cannot be read"),
        (HEAD + f"{NUMBER},fleet.toml,34-ABC,12\n", "line 2: the entitlement cannot be made (a PIN has 4 to 8 digits)"),
        (HEAD + f"{NUMBER},fleet.toml,A*B,\n", "line 2: the entitlement cannot be made (a plate is capital letters"),
        (HEAD + f'"{NUMBER},fleet.toml,,\n', "not CSV"),
    ],
)
def test_a_batch_is_checked_as_a_whole_before_a_card_is_touched(text: str, said: str) -> None:
    def read_file(name: str) -> bytes:
        if name != "fleet.toml":
            raise FileNotFoundError(2, "No such file or directory")
        return FORM.encode()

    with pytest.raises(OfficeError) as refused:
        parse_batch(text, "b.csv", read_file)
    assert said in str(refused.value)


def test_a_wrong_card_number_is_found_before_a_card_is_touched(desk: Desk, stack: Path) -> None:
    result = desk.run("issue", "--batch", csv(desk, THREE[0], "12,fleet.toml,,"), at=stack)
    assert result.exit_code == 1
    assert "batch.csv, line 3: a card number has 8 to 19 digits and nothing else" in result.output
    assert not list(stack.iterdir())


def test_files_of_a_batch_that_cannot_be_used_are_named(desk: Desk, stack: Path) -> None:
    assert "cannot be read (No such file" in desk.run("issue", "--batch", desk.folder / "no.csv", at=stack).output
    batch = csv(desk, *THREE)
    batch.write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text: save it as UTF-8" in desk.run("issue", "--batch", batch, at=stack).output
    batch = csv(desk, *THREE)
    (desk.folder / "batch.csv.done").write_text("done\n")
    assert "does not say what is done: delete it" in desk.run("issue", "--batch", batch, at=stack).output
