"""What station.toml says of programmes, tax and the receipt's language: good, or refused with file and key."""

from pathlib import Path

import pytest

from controller.config import ConfigError, parse
from controller.programme_files import shipped_text, version_of
from tests.station.yard import DemoYard

TOML = DemoYard().toml()


def test_shipped_programmes_and_files_are_taken(tmp_path: Path) -> None:
    text = shipped_text("opet-kart").replace('name = "opet-kart"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    more = '[programmes]\nuse = ["lpg-pass", "mine.toml"]\n[receipt]\nlanguage = "tr"\n'
    config = parse(f'{TOML}\n{more}[[vat]]\nfrom = 2023-07-10\nrate = "8.5"\n', tmp_path / "station.toml")
    assert [used.programme.name for used in config.programmes] == ["lpg-pass", "mine"]
    assert config.programmes[1].version == version_of(text) != version_of(shipped_text("opet-kart"))
    assert [(rate.grade, rate.basis_points) for rate in config.vat] == [("", 850)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[programmes]\nuse = ["opet-kart", "none.toml"]', "programmes.use[1]: "),
        ('[programmes]\nuse = ["none.toml"]', "cannot be read"),
        ('[programmes]\nuse = ["bad.toml"]', "bad.toml: stage[0].earn: there is no such key"),
        ('[programmes]\nuse = ["petrolimex-id"]', "petrolimex-id counts in VND, the station in TRY"),
        ('[programmes]\nuse = ["opet-kart", "opet-kart"]', "opet-kart stands twice"),
        ('[receipt]\nlanguage = "de"', "receipt.language"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "twenty"', "vat[0].rate: 'twenty'"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "101"', "vat[0].rate: '101': expected 0 to 100 percent"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "8.125"', "vat[0].rate"),
        ('[[vat]]\nfrom = "soon"\nrate = "20"', "vat[0].from"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "20"\ngrade = "milk"', "vat[0].grade: 'milk' is no grade"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "20"\n' * 2, "vat[1].from: 2020-01-01: another rate begins"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "20"\nproduct = "cng"', "vat[0].product: cng: no grade of this station"),
        ('[[vat]]\nfrom = 2020-01-01\nrate = "20"\nproduct = "diesel"\ngrade = "diesel"', "vat[0].product: diesel: g"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_key(tmp_path: Path, more: str, says: str) -> None:
    bad = shipped_text("opet-kart").replace("earning = true", "earn = true", 1)
    (tmp_path / "bad.toml").write_text(bad, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        parse(f"{TOML}\n{more}\n", tmp_path / "station.toml")
    assert says in str(error.value)
    assert "station.toml" in str(error.value)


def test_a_rate_of_a_product_is_that_of_all_its_grades(tmp_path: Path) -> None:
    text = TOML.replace('code = "gasoline"', 'code = "gasoline"\nproduct = "diesel"')
    more = '[[vat]]\nfrom = 2023-07-10\nrate = "20"\nproduct = "diesel"\n'
    config = parse(f"{text}\n{more}", tmp_path / "station.toml")
    assert sorted((rate.grade, rate.basis_points) for rate in config.vat) == [("diesel", 2000), ("gasoline", 2000)]
    twice = f'{more}[[vat]]\nfrom = 2023-07-10\nrate = "18"\ngrade = "gasoline"\n'
    with pytest.raises(ConfigError, match="another rate begins on this day already"):
        parse(f"{text}\n{twice}", tmp_path / "station.toml")
