"""A headquarters of its own on the disk, as the finance department has it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from forecourt import main

VAT = '[[vat]]\nproduct = "autogas"\nfrom = 2026-01-01\nrate = 2000\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert CliRunner().invoke(main, ["hq", "init", str(tmp_path)]).exit_code == 0
    path = tmp_path / "hq.toml"
    text = path.read_text(encoding="utf-8")
    kept = 'programmes = ["lpg-pass", "cng-interissuer", "petrolimex-id"]\nlist_key = "list.key"\n'
    path.write_text(kept + text + VAT, encoding="utf-8")
    key = tmp_path / "list.key"
    key.write_text("07" * 32 + "\n", encoding="ascii")
    key.chmod(0o600)
    return path
