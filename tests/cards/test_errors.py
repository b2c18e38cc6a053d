"""Everything that can go wrong with a card has a name of its own, and says what to do."""

from __future__ import annotations

import inspect

import pytest

from card_io import errors


def _all() -> list[type[errors.CardError]]:
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.CardError) and kind is not errors.CardError
    ]


def test_each_error_has_a_kind_of_its_own_and_something_to_do() -> None:
    kinds = [error.kind for error in _all()]
    assert len(kinds) == len(set(kinds)) > 20
    for error in _all():
        assert "kind" in vars(error)
        assert "todo" in vars(error)
        assert error.kind.replace("_", "").isalpha()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0x919D, "permission denied (919D): the key in use may not do this"),
        (0x910E, "out of memory (910E): use a card with more memory"),
        (0x91AD, "authentication delay (91AD): the card waits"),
        (0x9177, "unknown DESFire status (9177): present the card again"),
        (0x6D00, "instruction not supported (6D00): present the card again"),
        (0x1234, "unknown status (1234): present the card again"),
    ],
)
def test_a_refusal_says_what_it_means_and_what_to_do(status: int, said: str) -> None:
    assert str(errors.CardStatusError(status, "a debit")).startswith(f"the card refused a debit: {said}")
