"""A programme's rules that come with headquarters' list: quotes go by them, or the old ones stay and it is said why."""

import pytest

from controller.domain.explain_quote import explain_quote
from controller.domain.list_digests import BUCKETS
from controller.domain.list_entries import Rule, encode_entry
from controller.domain.programme_records import Quoted, RulesTaken
from controller.domain.tokens import TokenKind
from controller.programme_files import shipped_text, version_of
from controller.store.whitelist_file import NewList, Provenance, changing
from controller.tills.list_rules import EVERY_S
from tests.station.members import MemberHouse, member_story, opet

CARD = "9876540012806566"
SHIPPED = shipped_text("opet-kart")
DOUBLE = SHIPPED.replace("basis_points = 50 ", "basis_points = 100 ")
"""Twice the points."""


def publish(house: MemberHouse, *rules: Rule, version: int = 2, signed: bool = True) -> None:
    """Put a list with these rules in place. What headquarters signs is checked where a list is taken, not here."""
    header = b"headquarters' header" if signed else b""
    with changing(house.list_path), NewList(house.list_path) as fresh:
        fresh.append(sorted(encode_entry(rule) for rule in rules), 0, BUCKETS)
        fresh.commit(Provenance(version, 0, "", "", header))


async def points(house: MemberHouse) -> int:
    """What a sale of 441.20 TRY of diesel earns now."""
    house.put(TokenKind.CARD, CARD, opet(100))
    sale = await house.cash_delivery(1, 10_000)
    assert (await house.shows(sale, card=CARD)).done
    assert (await house.pay(sale, 44_120)).done
    return house.quotes[-1].points


async def looks(house: MemberHouse) -> None:
    """The station looks at the list, as it does every few minutes."""
    await house.station._list_rules._look()


def by(house: MemberHouse) -> str:
    """The text of the rules by which the station quotes."""
    return house.station._programmes._used["opet-kart"].text


async def restart(house: MemberHouse) -> None:
    await house.kill()
    await house.start()
    await house.wait(5)


def rows(house: MemberHouse) -> list[str]:
    """The rules of the journal, by version."""
    return [row.version for row in house.rows_of(RulesTaken) if row.programme == "opet-kart"]


@member_story()
async def test_quotes_go_by_the_lists_rules_and_can_be_explained_for_ever(house: MemberHouse) -> None:
    assert await points(house) == 220
    publish(house, Rule("opet-kart", DOUBLE))
    await house.wait(EVERY_S)
    assert await points(house) == 441
    assert [quote.version for quote in house.quotes] == [version_of(SHIPPED), version_of(DOUBLE)] == rows(house)
    await restart(house)
    assert await points(house) == 441
    publish(house, version=3)
    await looks(house)
    assert await points(house) == 220, "the list has none any more: station.toml's count"
    assert rows(house) == [version_of(SHIPPED), version_of(DOUBLE), version_of(SHIPPED)]
    taken = {row.version: row for row in house.rows_of(RulesTaken)}
    bodies = [body for body in house.journal.replay() if isinstance(body.record, Quoted)]
    assert len(bodies) == 4
    for body in bodies:
        assert isinstance(body.record, Quoted)
        assert explain_quote(body, taken[body.record.version]).same


@pytest.mark.parametrize(
    ("rule", "signed", "why"),
    [
        (Rule("opet-kart", DOUBLE), False, "the list was imported here"),
        (Rule("opet-kart", DOUBLE.replace("[[earn]]", "[[earns]]")), True, "earns: there is no such key"),
        (Rule("opet-kart", shipped_text("positive-card")), True, "they are those of positive-card"),
        (Rule("opet-kart", DOUBLE.replace('"TRY"', '"EUR"')), True, "they count in EUR, and this station in TRY"),
        (Rule("opet-kart", "use = " + "[" * 5_000), True, "not TOML"),
    ],
    ids=["not signed", "a wrong key", "another programme", "another currency", "brackets without end"],
)
@member_story()
async def test_wrong_rules_are_refused_and_the_old_ones_stay_also_over_a_restart(
    house: MemberHouse, rule: Rule, signed: bool, why: str
) -> None:
    good = DOUBLE.replace("basis_points = 100 ", "basis_points = 200 ")
    publish(house, Rule("opet-kart", good))
    await looks(house)
    assert by(house) == good
    publish(house, rule, version=3, signed=signed)
    await looks(house)
    assert why in house.trouble("rules of opet-kart")
    assert "(version 3) are not taken, the old ones stay" in house.trouble("rules of opet-kart")
    assert by(house) == good
    await restart(house)
    assert why in house.trouble("rules of opet-kart")
    assert by(house) == good
    publish(house, Rule("opet-kart", DOUBLE), version=4)
    await looks(house)
    assert not house.trouble("rules of opet-kart")
    assert by(house) == DOUBLE


@member_story()
async def test_rules_of_a_programme_that_is_not_used_here_and_a_list_that_cannot_be_read_change_nothing(
    house: MemberHouse,
) -> None:
    publish(house, Rule("petrolimex-id", "nonsense"), Rule("opet-kart", DOUBLE))
    await looks(house)
    assert not house.snapshot.troubles
    house.list_path.write_bytes(b"nonsense")
    await looks(house)
    assert await points(house) == 441


@member_story()
async def test_a_full_disk_puts_rules_off_and_no_quote_goes_before_their_row(house: MemberHouse) -> None:
    house.disk_full = lambda records: isinstance(records[0], RulesTaken)
    publish(house, Rule("opet-kart", DOUBLE))
    await house.wait(EVERY_S + 5)
    house.disk_full = None
    assert await points(house) == 220
    await looks(house)
    assert await points(house) == 441


@member_story()
async def test_the_receipt_goes_by_the_rules_of_then(house: MemberHouse) -> None:
    publish(house, Rule("opet-kart", DOUBLE.replace('title = "Opet Kart"', 'title = "Opet Kart Yeni"')))
    await looks(house)
    assert await points(house) == 441
    await house.until(lambda: len(house.slips) == 1, 30)
    assert "Opet Kart Yeni" in house.slips[0].text


@member_story()
async def test_a_list_that_cannot_be_read_after_a_restart_takes_no_rules_away(house: MemberHouse) -> None:
    publish(house, Rule("opet-kart", DOUBLE))
    await looks(house)
    house.list_path.write_bytes(b"nonsense")
    await restart(house)
    assert by(house) == DOUBLE
    assert rows(house) == [version_of(SHIPPED), version_of(DOUBLE)]
    publish(house, version=3)
    await looks(house)
    assert by(house) == SHIPPED
    house.list_path.unlink()
    await restart(house)
    assert by(house) == SHIPPED, "where there is no list, station.toml's count"
