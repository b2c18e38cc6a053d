"""Every reason has words for the attendant, who must know what to do, and for the driver, who must not be blamed."""

import pytest

from controller.domain.reasons import CATALOGUE, Reason

DRIVER_LETTERS = 40
"""What fits on two lines of a pump's display and on one of a receipt."""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_texts(reason: Reason) -> None:
    text = CATALOGUE[reason]
    for words in (text.attendant, text.driver):
        assert words == words.strip()
        assert words[0].isupper()
        assert not words.endswith(".")
    assert len(text.driver) <= DRIVER_LETTERS


def test_the_catalogue_holds_nothing_else() -> None:
    assert set(CATALOGUE) == set(Reason)


def test_codes_are_words_that_stay_the_same_in_journals() -> None:
    assert all(reason.value == reason.name.lower() for reason in Reason)
