"""Fixtures of the card tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cards.pcscd import PrivatePcscd


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[PrivatePcscd]:
    """A running pcscd of this test's own. Missing packages are an error, never a skip."""
    daemon = PrivatePcscd(tmp_path)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()
