"""What is on a simulated card, in lines for people: numbers and rights, never a key and never the data."""

from __future__ import annotations

from collections.abc import Iterator

from sim.cards.directory import free_bytes
from sim.cards.state import (
    FREE,
    NEVER,
    BackupFile,
    CardState,
    File,
    MacFile,
    RecordFile,
    Rights,
    StandardFile,
    ValueFile,
)


def described(state: CardState) -> str:
    """The card, its applications and files, a line each."""
    return "\n".join(_lines(state))


def _lines(state: CardState) -> Iterator[str]:
    uid = state.uid.hex().upper()
    if state.kind == "uid_only":
        yield f"card {uid}: nothing but this UID"
        return
    yield (
        f"card {uid}: DESFire EV2, master key {state.master.kind.upper()} version {state.master.version}, "
        f"settings {state.key_settings:02X}, {free_bytes(state)} bytes free"
    )
    for application in state.applications:
        versions = " ".join(str(key.version) for key in application.keys)
        yield (
            f"application {application.aid.hex().upper()}: settings {application.key_settings:02X}, "
            f"{len(application.keys)} keys of versions {versions}"
        )
        for number, file in sorted(application.files.items()):
            rights = file.rights
            yield (
                f"  file {number:02X}: {file.name}, {_content(file)}, {file.mode}; read {_who(rights.read)}, "
                f"write {_who(rights.write)}, both {_who(rights.read_write)}, change {_who(rights.change)}"
                f"{_also(rights)}"
            )


def _content(file: File) -> str:
    match file:
        case StandardFile() | BackupFile():
            return f"{len(file.data)} bytes"
        case ValueFile():
            return f"{file.value} of {file.lower}..{file.upper}, {file.limited_credit} may come back"
        case RecordFile():
            kind = "cyclic" if file.cyclic else "linear"
            return f"{kind}, {len(file.records)} of {file.room} of {file.size} bytes"
        case MacFile():
            return f"{file.counter} commits"


def _also(rights: Rights) -> str:
    """The further sets, together."""
    who = {
        "read": [more.read for more in rights.more or ()],
        "write": [more.write for more in rights.more or ()],
        "both": [more.read_write for more in rights.more or ()],
    }
    some = {what: " ".join(_who(right) for right in rights if right != NEVER) for what, rights in who.items()}
    return "".join(f", also {what} {keys}" for what, keys in some.items() if keys)


def _who(right: int) -> str:
    return {FREE: "free", NEVER: "never"}.get(right, str(right))
