"""Publishing lists that is broken off, done twice at once, or jumps in its count."""

from pathlib import Path

import pytest

from controller.store.whitelist_file import changing
from tests.store.test_whitelist_commands import CARDS
from tests.sync.test_lists import Street


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def names(street: Street) -> list[str]:
    return sorted(path.name for path in (street.folder / "lists").iterdir())


def variant(number: int) -> str:
    return CARDS.replace("KUZEY", f"KUZEY{number}")


def test_a_delta_of_a_list_that_was_never_put_in_place_is_given_to_nobody(street: Street) -> None:
    street.publish(variant(1))
    street.publish(variant(2))
    (street.folder / "lists" / "2.list").unlink()  # killed between the one and the other
    street.publish(variant(3), "--version", "5")
    assert names(street) == ["1-5.delta", "1.list", "5.list"]


def test_the_last_two_lists_are_kept_however_they_are_counted(street: Street) -> None:
    street.publish(variant(1))
    street.publish(variant(2), "--version", "500")
    assert names(street) == ["1-500.delta", "1.list", "500.list"]
    street.publish(variant(3))
    assert names(street) == ["1-500.delta", "500-501.delta", "500.list", "501.list"]


def test_one_at_a_time(street: Street) -> None:
    street.publish(variant(1))
    words = ("--key", street.path("hq/headquarters.key"), "--list-key", str(street.station / "keys" / "list.key"))
    where = ("--currency", "TRY", "--time-zone", "Europe/Istanbul", street.path("lists"), street.path("cards.csv"))
    with changing(street.folder / "lists"):
        done = street.run("publish", *words, *where)
    assert done.exit_code == 1
    assert "is being changed by another command" in done.stderr
    assert names(street) == ["1.list"]
