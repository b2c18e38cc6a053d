"""docs/programmes.md says what is true: keys, events, reasons; shipped files date and explain each rule."""

import re
from pathlib import Path

import msgspec
import pytest

from controller.domain.programmes.events import AnyEvent
from controller.domain.programmes.reasons import MEANING
from controller.domain.programmes.rules import ProgrammeFile, ProgrammeTable, Rule
from controller.programme_files import SHIPPED, shipped_text

PAGE = (Path(__file__).parents[2] / "docs" / "programmes.md").read_text(encoding="utf-8")


def test_every_key_of_a_programmes_file_is_documented_and_no_other() -> None:
    keys = {f"programme.{field.name}" for field in msgspec.structs.fields(ProgrammeTable)}
    common = {field.name for field in msgspec.structs.fields(Rule)}
    for field in msgspec.structs.fields(ProgrammeFile)[1:]:
        (kind, *_) = field.type.__args__
        keys |= {f"{field.name}.{key.name}" for key in msgspec.structs.fields(kind) if key.name not in common}
        assert f"[[{field.name}]]" in PAGE or any(key.startswith(f"{field.name}.") for key in keys)
    section = PAGE.partition("### The file, key by key")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE)) == keys


def test_every_event_is_documented_with_its_fields() -> None:
    section = PAGE.partition("### Events")[2].partition("### Answers")[0]
    rows = dict(row for row in re.findall(r"^\| ([a-z_., ]+) \| (.*) \|$", section, re.MULTILINE))
    by_type = {name: row for names, row in rows.items() for name in names.split(", ")}
    assert set(by_type) - {"type"} == {kind.__struct_config__.tag for kind in AnyEvent.__args__}
    for kind in AnyEvent.__args__:
        row = by_type[kind.__struct_config__.tag]
        for field in msgspec.structs.fields(kind):
            assert field.name in ("at", "ref", "sender") or field.encode_name in row, (kind, field.name)


def test_every_reason_is_documented_with_its_meaning() -> None:
    for reason, meaning in MEANING.items():
        assert f"| `{reason}` | {meaning} |" in PAGE


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_explains_each_kind_of_rule_and_dates_each(name: str) -> None:
    text = shipped_text(name)
    tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)[1:]
    for table in tables:
        assert "#" in table, table
        assert table.startswith("[programme]") or "\nfrom = " in table, table
