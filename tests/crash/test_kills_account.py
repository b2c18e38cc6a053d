"""A sale on a card's account through kills of the station process at each of its steps: see `tests.crash.kills`."""

from collections.abc import Iterator

import pytest

from tests.crash.corner import Corner
from tests.crash.kills import ACCOUNT, assert_all_agree, killed_at, open_corner, steps


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    with open_corner(tmp_path_factory.mktemp("kills") / "corner") as corner:
        yield corner


@pytest.mark.parametrize("step", steps(ACCOUNT))
def test_killed_at_this_step_a_sale_on_account_is_one_delivery_one_sale_one_receipt(corner: Corner, step: str) -> None:
    killed_at(corner, step, ACCOUNT)


def test_when_all_is_over_pumps_paper_journal_and_headquarters_tell_the_same(corner: Corner) -> None:
    assert_all_agree(corner)
