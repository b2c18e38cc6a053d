"""What a station reads of a list beside tokens: its own prices, so that those of a large network hold up no pump."""

from pathlib import Path

import pytest

from controller.domain import list_entries
from controller.domain.list_digests import BUCKETS
from controller.domain.list_entries import Entry, ListPrice, Product, Rule, encode_entry
from controller.domain.quantities import UnitPrice
from controller.store import whitelist
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import NewList, Provenance, changing

PRICE = UnitPrice(4510, 2)
ALL = ListPrice("diesel", 0, PRICE)
OWN = [ListPrice("diesel", 1, PRICE, stations) for stations in ("TR-1", "TR-0,TR-1", "TR-0,TR-1,TR-2", "TR-1,TR-2")]
OTHERS = [ListPrice("diesel", 2, PRICE, stations) for stations in ("TR-10", "TR-0,TR-2", "XTR-1", "TR-1x,TR-2")]


def listed(folder: Path, *entries: Entry) -> Path:
    path = folder / "whitelist.db"
    with changing(path), NewList(path) as fresh:
        fresh.append(sorted(map(encode_entry, entries)), 0, BUCKETS)
        fresh.commit(Provenance(1, 0, "", ""))
    return path


def test_a_station_reads_its_own_prices_and_all_products_and_rules(tmp_path: Path) -> None:
    path = listed(tmp_path, ALL, *OWN, *OTHERS, Product("diesel", "Diesel"), Rule("opet-kart", "nonsense"))
    found = Whitelist(path, station="TR-1").catalogue()
    assert found is not None
    assert sorted(found.prices, key=str) == sorted([ALL, *OWN], key=str)
    assert len(found.products) == len(found.rules) == 1
    everything = Whitelist(path).catalogue()
    assert everything is not None
    assert len(everything.prices) == 9


def test_a_networks_prices_are_not_even_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [ListPrice("diesel", moment, PRICE, f"UA-{number}") for moment in range(10) for number in range(100)]
    path = listed(tmp_path, ALL, *OWN, *others)
    decoded: list[bytes] = []

    def decode(key: bytes, kind: int, value: bytes) -> Entry:
        decoded.append(key)
        return list_entries.decode_parts(key, kind, value)

    monkeypatch.setattr(whitelist, "decode_parts", decode)
    found = Whitelist(path, station="TR-1").catalogue()
    assert found is not None
    assert len(found.prices) == len(decoded) == 5
