"""The checks can fail: the program is made worse in a known way, and the check that is there for it must see it."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import controller.points.point
import controller.store.journal
from controller.domain.records import Body, Row, decode_body
from controller.domain.seams import Randomness
from controller.points.point import FuellingPoint
from controller.store.journal import Journal
from tests.crash.cuts import Run, open_production
from tests.station.test_disk import test_a_running_delivery_is_kept_at_the_pump_until_the_disk_takes_it as kept_at_pump
from tests.store.test_journal import test_a_tampered_row_is_found_and_named as tampered

SEED = 11
CUTS = 150
WRITTEN, CLEARED = "write_surely", "Clear("


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_power_cuts_find_a_journal_that_does_not_wait_for_the_disk(synchronous: str) -> None:
    def weaker(vfs: str, randomness: Randomness) -> Journal:
        journal = open_production(vfs, randomness)
        journal._db.execute(f"PRAGMA synchronous = {synchronous}")
        return journal

    found = Run(SEED, weaker).cuts(CUTS)
    assert found.lost > 0
    assert Run(SEED).cuts(CUTS).clean, "the same cuts harm the production journal too: they prove nothing"


def _cleared_first() -> Callable[..., object]:
    """`FuellingPoint._completed` as it stands, but that the pump is cleared before its delivery is written."""
    function = ast.parse(textwrap.dedent(inspect.getsource(FuellingPoint._completed))).body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    texts = [ast.unparse(statement) for statement in function.body]
    (written,) = [index for index, text in enumerate(texts) if WRITTEN in text]
    (cleared,) = [index for index, text in enumerate(texts) if CLEARED in text and text.startswith("self._tell")]
    assert written < cleared, "the order is wrong already"
    function.body.insert(written, function.body.pop(cleared))
    made: dict[str, Callable[..., object]] = {}
    module = ast.Module([function], [])
    exec(compile(ast.fix_missing_locations(module), "mutant", "exec"), vars(controller.points.point), made)
    return made["_completed"]


def test_a_pump_that_is_cleared_before_its_delivery_is_on_disk_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FuellingPoint, "_completed", _cleared_first())
    with pytest.raises(AssertionError, match="the pump was cleared before its delivery was on disk"):
        kept_at_pump(tmp_path)


def test_a_journal_that_does_not_look_at_its_chain_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def believing(previous_hash: bytes, row: Row) -> Body:
        del previous_hash
        return decode_body(row.body)

    monkeypatch.setattr(controller.store.journal, "open_row", believing)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        tampered(tmp_path / "journal.db", "UPDATE rows SET hash = zeroblob(32) WHERE seq = 3", 3)
