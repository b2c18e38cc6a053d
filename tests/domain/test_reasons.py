"""Every reason has words for the attendant, who must know what to do, and for the driver, who must not be blamed."""

import ast
from functools import cache
from pathlib import Path

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


TESTS = Path(__file__).parents[1]


@cache
def words_of_the_tests() -> frozenset[str]:
    """Every reason that a test names, by its code or by its name, except here."""
    words: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Attribute(ast.Name("Reason"), name):
                        words.add(name.lower())
                    case ast.Constant(str() as text):
                        words.add(text)
    return frozenset(words)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_named_by_a_test_that_brings_it_about(reason: Reason) -> None:
    if reason.value not in words_of_the_tests():
        pytest.fail(f"no test waits for {reason.value}")


def test_codes_are_words_that_stay_the_same_in_journals() -> None:
    assert all(reason.value == reason.name.lower() for reason in Reason)
