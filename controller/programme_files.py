"""The programmes that a station uses: shipped ones by name, others by their file; each with the digest of its text."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from controller.domain.programmes.programme import Programme, ProgrammeError, parse

SHIPPED = ("cng-interissuer", "lpg-pass", "opet-kart", "petrolimex-id", "positive-card")
VERSION_DIGITS = 16


@dataclass(frozen=True, slots=True)
class ProgrammeText:
    """A programme, checked, and the text that it was read from. `version`: the digest of the text."""

    programme: Programme
    version: str
    text: str


def programme_text(name: str, folder: Path) -> ProgrammeText:
    """A shipped programme, or the file of this name in `folder`. ProgrammeError names the file and says why not."""
    if name in SHIPPED:
        return checked(shipped_text(name), f"{name}.toml")
    path = folder / name
    try:
        return checked(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise ProgrammeError(f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        names = ", ".join(SHIPPED)
        raise ProgrammeError(
            f"{path} cannot be read ({error.strerror}): name a TOML file, or one of {names}"
        ) from error


def checked(text: str, where: str) -> ProgrammeText:
    """From its text; `where` is for messages. ProgrammeError."""
    return ProgrammeText(parse(text, where), version_of(text), text)


def version_of(text: str) -> str:
    """The same rules have the same version."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


def shipped_text(name: str) -> str:
    """The TOML of a programme that comes with this software."""
    return files("controller.domain.programmes").joinpath(f"{name}.toml").read_text(encoding="utf-8")
