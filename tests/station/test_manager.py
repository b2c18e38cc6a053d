"""What only a manager says is refused to other tills, where one is named; and money that he sets apart for a while."""

from controller.domain.desk import (
    Allot,
    ChangePrice,
    Command,
    CommandResult,
    ManagerCommand,
    ReleasePurse,
    ResetOdometer,
    UnlockPin,
    Unreserve,
)
from controller.domain.reasons import CATALOGUE, Reason
from tests.station.house import CARD, OTHER_TILL, TILL, House, story
from tests.station.test_limits import DAY_MS, PREPAID_CSV, available
from tests.station.yard import DemoYard

COMMANDS: list[Command] = [
    Allot("c0", "2026-01", 50_000, account="KUZEY"),
    UnlockPin("c1", card=CARD),
    Unreserve("c2", point=1, reason="measured"),
    ResetOdometer("c3", card=CARD),
    ReleasePurse("c4", release="x"),
    ChangePrice("c5", "diesel", "45.10"),
]


class ManagedYard(DemoYard):
    """The demonstration's pumps, at a station whose second till is the manager's."""

    def toml(self) -> str:
        marked = f'id = "{OTHER_TILL}"'
        return super().toml().replace(marked, f"{marked}\nmanager = true")


@story(yard=ManagedYard())
async def test_a_till_that_is_no_managers_is_refused_what_only_he_says(house: House) -> None:
    assert {type(command) for command in COMMANDS} == set(ManagerCommand.__args__)
    for command in COMMANDS:
        rows = len(house.records)
        result = await house.command(command, TILL)
        assert (result.done, result.reason) == (False, Reason.MANAGER_ONLY), command
        assert result.text == CATALOGUE[Reason.MANAGER_ONLY].attendant
        assert len(house.records) == rows
        assert (await house.command(command, OTHER_TILL)).reason != Reason.MANAGER_ONLY, command


@story()
async def test_where_no_till_is_a_managers_all_of_them_are(house: House) -> None:
    for command in COMMANDS:
        assert (await house.command(command, TILL)).reason != Reason.MANAGER_ONLY, command


@story(cards_csv=PREPAID_CSV)
async def test_an_allotment_ends_with_its_last_day_whatever_the_clock_does(house: House) -> None:
    assert (await allots(house, "long", 10_000, "")).done
    for last_day in ("2025-12-31", "2026-02-30", "tomorrow", "9999-12-31"):
        assert (await allots(house, "wrong", 1, last_day)).reason == Reason.ALLOTMENT_INVALID
    short = Allot("a1", "short", 50_000, account="KUZEY", valid_until="2026-01-02")
    assert (await house.command(short)).done
    assert available(house) == 60_000
    await house.fill_by_card(1, 1_000)
    left = 60_000 - house.deliveries[0].amount_minor
    house.clock.start_ms += 3 * DAY_MS
    assert available(house) == 10_000, "a clock that is ahead gives no more, and takes what is over"
    house.clock.start_ms -= 3 * DAY_MS
    assert available(house) == left, "and when it is right again, the rest is there: what ends first was taken first"
    await house.kill()
    house.clock.start_ms += 2 * DAY_MS
    await house.start()
    await house.until(lambda: house.kinds.count("started") == 2, 10)
    assert (await house.command(short)).done, "told again, it is still done once"
    assert (await house.command(Allot("a1", "short", 50_000, account="KUZEY"))).reason == Reason.COMMAND_REUSED
    assert (await allots(house, "short", 50_000, "2026-01-09")).reason == Reason.COMMAND_REUSED
    assert available(house) == 10_000
    assert (await house.command(Allot("a2", "more", 5_000, account="KUZEY"))).done
    assert available(house) == 15_000


async def allots(house: House, allotment_id: str, amount_minor: int, valid_until: str) -> CommandResult:
    return await house.command(Allot(house.next_id(), allotment_id, amount_minor, "KUZEY", valid_until=valid_until))


@story(cards_csv=PREPAID_CSV)
async def test_two_tills_that_give_two_sums_one_id_do_not_both_hear_that_it_is_done(house: House) -> None:
    first = house.send(Allot(house.next_id(), "2026-01", 50_000, account="KUZEY"), TILL)
    other = house.send(Allot(house.next_id(), "2026-01", 70_000, account="KUZEY"), OTHER_TILL)
    again = house.send(Allot(house.next_id(), "2026-01", 50_000, account="KUZEY"), OTHER_TILL)
    assert (await first).done
    assert (await other).reason == Reason.COMMAND_REUSED
    assert (await again).done
    assert house.kinds.count("allotted") == 1
    assert available(house) == 50_000
