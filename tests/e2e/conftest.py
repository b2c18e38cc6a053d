"""The private pcscd of the card tests serves here too."""

from tests.cards.conftest import pcscd

__all__ = ["pcscd"]
