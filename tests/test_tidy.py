"""The house is tidy: clock, chance, ports, disk and network come in at named edges and nowhere else.

Walks the syntax trees of the product. An edge that is meant stands in `EDGES` with its reason; an entry that is not
needed any more must go.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("controller", "card_io", "sync", "sim", "terminal")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODULES = _words(
    "time random secrets uuid socket socketserver threading multiprocessing concurrent subprocess select "
    "selectors signal serial termios fcntl pty tty sqlite3 apsw sqlite_utils httpx uvicorn smartcard tempfile "
    "shutil ssl http urllib.request requests numpy"
)
"""Importing one of these lets in time, chance, a port, a disk, a network or a second thread."""
ASYNCIO = _words(
    "sleep timeout timeout_at wait_for open_connection start_server open_unix_connection start_unix_server "
    "to_thread create_subprocess_exec create_subprocess_shell"
)
OS = _words(
    "open fdopen read write openpty urandom environ getenv stat replace rename unlink remove listdir scandir "
    "walk mkdir makedirs fsync system popen fork kill path"
)
LOOP = _words(
    "time call_at call_later run_in_executor add_reader add_writer add_signal_handler create_connection "
    "create_server subprocess_exec subprocess_shell"
)
"""Methods of an event loop: a clock's `call_at` is the seam, a loop's is not."""
PATHS = _words(
    "read_text write_text read_bytes write_bytes unlink mkdir rmdir touch rename iterdir glob rglob stat exists "
    "is_file is_dir"
)
TODAY = frozenset({"now", "utcnow", "today"})

EDGES: dict[str, tuple[str, str]] = {
    # The controller: one file for time and chance, one for each kind of device or file.
    "controller/machine.py": (
        ".exists() asyncio.sleep loop.call_at loop.run_in_executor open() os.path secrets time",
        "the one place where this machine's time, chance, threads and boot id come in",
    ),
    "controller/event_loop.py": ("socket threading", "looks names up, where that may take long"),
    "controller/daemon.py": (".exists() .mkdir() loop.add_signal_handler signal", "the process: signals, data folder"),
    "controller/office/whitelist_commands.py": (".exists() .read_text() .write_text()", "the command line names files"),
    "controller/office/whitelist_making.py": (
        ".exists() .mkdir() .read_text() .stat() .write_text()",
        "the same at headquarters",
    ),
    "controller/office/whitelist_publishing.py": (
        ".iterdir() .mkdir() .stat() .unlink()",
        "headquarters' folder of lists",
    ),
    "controller/config.py": (".read_text()", "reads station.toml"),
    "controller/install.py": (".exists() .mkdir() .write_text()", "makes a station's folder"),
    "controller/office/journal_commands.py": (".exists()", "the command line names files"),
    "controller/keys.py": (".read_text() .stat() os.fdopen os.fsync os.open", "reads and makes secret files"),
    "controller/api/client.py": ("httpx", "the till's end of the API"),
    "controller/api/server.py": ("socket uvicorn", "the station's end of the API"),
    "controller/keypads/keypads.py": ("asyncio.open_connection", "the keypad at a pump, over TCP"),
    "controller/printing/port.py": (
        "asyncio.open_connection loop.add_writer os.write serial termios",
        "the printer's cable",
    ),
    "controller/printing/spool.py": (
        ".exists() .iterdir() .mkdir() .open() .read_bytes() .unlink() os.fsync os.open",
        "slips on disk, so that a killed station prints them once",
    ),
    "controller/programme_files.py": (".read_text()", "reads programmes"),
    "controller/office/programme_commands.py": (".open() .read_text()", "the command line names programmes and events"),
    "controller/pumps/line.py": ("loop.add_reader os.read os.stat os.write select serial termios", "the pumps' cable"),
    "controller/pumps/net.py": ("loop.create_connection socket", "the pumps' cable behind a serial server"),
    "controller/store/checkpoint.py": (
        ".open() .read_bytes() .stat() .unlink() os.fdopen os.fsync os.open os.replace",
        "a file that saves reading the journal again",
    ),
    "controller/store/journal.py": ("apsw", "the journal's file"),
    "controller/store/sealing.py": ("apsw", "the keys of its seals, in the same file"),
    "controller/store/snapshot.py": (
        ".open() .unlink() shutil tempfile",
        "copies the journal's files, so that a running station's can be read",
    ),
    "controller/store/whitelist.py": ("os.stat sqlite_utils", "looks whether a new list is in place"),
    "controller/store/whitelist_file.py": (
        ".exists() .mkdir() .unlink() fcntl open() os.fsync os.open os.replace shutil sqlite3 sqlite_utils",
        "the whitelist's file",
    ),
    "controller/store/whitelist_import.py": (
        ".mkdir() concurrent multiprocessing open() shutil",
        "lists of any length: sorted runs on disk, made by several processes",
    ),
    "controller/store/whitelist_lines.py": ("open()", "reads the files of an import"),
    "controller/store/whitelist_signed.py": (
        ".unlink() open() os.fsync os.replace",
        "the files that headquarters signs",
    ),
    "controller/store/whitelist_stats.py": (".stat() sqlite_utils", "counts what is in the whitelist's file"),
    "controller/store/whitelist_taking.py": ("sqlite3", "says when the whitelist's file is damaged"),
    "controller/store/writer.py": ("threading", "commits on a thread of their own; InlineWriter has none"),
    # The card library runs in real time only: a simulated world has its own reader.
    "card_io/beside.py": ("threading", "a thread that works while a card holds the other one"),
    "card_io/keys.py": ("os.fdopen os.open", "reads the network's card keys"),
    "card_io/pcsc.py": ("asyncio.create_subprocess_exec asyncio.timeout os.environ", "the child that talks to PC/SC"),
    "card_io/pcsc_child.py": ("concurrent os.urandom smartcard threading time", "that child: a process of its own"),
    "card_io/pcsc_field.py": ("time", "waits for a card that another program holds"),
    "card_io/pcsc_bridge.py": ("smartcard threading time", "a child at the card office's desk: a process of its own"),
    "card_io/pcsc_card.py": ("os.environ os.read select subprocess time", "that child's owner"),
    "card_io/tcp.py": ("asyncio.open_connection asyncio.timeout", "a reader behind a TCP connection"),
    # The link and headquarters.
    "sync/transport.py": ("httpx", "the link's HTTP"),
    "sync/list_files.py": (
        ".exists() .iterdir() .mkdir() .open() .stat() .unlink() asyncio.to_thread multiprocessing shutil threading",
        "lists from headquarters on the station's disk, taken beside the loop",
    ),
    "sync/hq/lists.py": (".is_dir() .iterdir() .open() .stat()", "the folder of lists that stations fetch"),
    "sync/hq/account_commands.py": ("time", "the command line: when money was paid in"),
    "sync/hq/code_commands.py": ("os.urandom time", "the command line: when a code begins, and its nonce"),
    "sync/hq/serve_command.py": ("time", "headquarters' clock begins here"),
    "sync/hq/station_commands.py": (
        ".is_file() .mkdir() .read_bytes() os.fdopen os.open os.urandom time",
        "the command line: a headquarters' folder, tokens and stations",
    ),
    "sync/hq/cards/commands.py": (
        ".exists() .read_bytes() .read_text() os.fsync",
        "the command line names files: entitlements, batches and what is done of them",
    ),
    "sync/hq/cards/desk.py": ("os.environ os.urandom time", "the card office's passphrase, clock and chance"),
    "sync/hq/cards/folder.py": (
        ".exists() .mkdir() .read_bytes() .unlink() fcntl os.fdopen os.fsync os.open",
        "the card office's folder: keys and log",
    ),
    "sync/hq/cards/key_commands.py": (".exists() .is_dir() .mkdir() os.urandom", "the command line: new keys"),
    "sync/hq/config.py": (".read_text()", "reads hq.toml"),
    "sync/hq/exchange/commands.py": (".open() .write_bytes() time", "the command line: packages are files"),
    "sync/hq/exchange/setup.py": (".exists()", "says which key file is missing"),
    "sync/hq/hold.py": (".open() fcntl", "one process a database"),
    "sync/hq/office.py": ("asyncio.to_thread os.urandom", "the portal's passwords; its files are made beside the desk"),
    "sync/hq/programmes/commands.py": (
        ".read_text() .write_text() time",
        "the command line: files of events, lists, and headquarters' clock",
    ),
    "sync/hq/running.py": ("httpx", "asks the process that holds the database"),
    "sync/hq/serve.py": (
        "concurrent loop.add_signal_handler loop.run_in_executor signal socket uvicorn",
        "headquarters' process: port, signals, the database's thread",
    ),
    "sync/hq/sms.py": (".glob() .mkdir() os.fdopen os.open", "messages wait in a folder for a provider's program"),
    "sync/hq/store.py": ("sqlite3", "headquarters' database"),
    # The simulator: the bench runs in real time, the world only touches what is listed.
    "controller/wire/commands.py": (
        ".exists() .open() .read_text() loop.add_signal_handler signal",
        "the command line: recordings are files",
    ),
    "controller/wire/remote.py": ("httpx", "listens to a running station over its API"),
    "sim/backstage.py": (
        ".mkdir() .read_text() .write_text() open() os.environ secrets signal subprocess threading",
        "starts the processes of a demonstration",
    ),
    "sim/bench.py": (
        ".mkdir() .unlink() .write_text() loop.add_signal_handler signal",
        "the bench as a process: stable names of its ports",
    ),
    "sim/bench_file.py": (".read_text()", "reads bench.toml"),
    "sim/cards/commands.py": (
        ".exists() asyncio.sleep loop.add_signal_handler secrets signal",
        "the command line: a simulated card in a real PC/SC daemon",
    ),
    "sim/cards/held.py": (".stat() fcntl os.open", "a simulated card is in one reader at a time"),
    "sim/cards/slot.py": (".exists() .glob() .is_dir() secrets", "the card office's desk with simulated cards on it"),
    "sim/cards/state.py": (
        ".read_bytes() .unlink() fcntl os.fdopen os.fsync os.open",
        "a simulated card remembers on disk",
    ),
    "sim/cards/tcp.py": ("asyncio.start_server loop.call_later", "simulated cards over TCP"),
    "sim/cards/vpcd.py": ("asyncio.sleep socket", "simulated cards for a real PC/SC daemon"),
    "sim/asking.py": (".is_file() .read_text()", "the command line: the address of a running bench"),
    "sim/control.py": ("asyncio.open_connection asyncio.start_server", "people at the bench, over TCP"),
    "sim/demo.py": (".glob() .mkdir() .read_text() httpx signal tempfile threading", "a demonstration in one command"),
    "sim/held_ports.py": ("socket", "a demonstration's programs find their ports free"),
    "sim/keypads.py": ("asyncio.start_server", "simulated keypads over TCP"),
    "sim/loop.py": ("asyncio.sleep loop.call_at", "virtual time is made here"),
    "sim/world_command.py": ("tempfile time", "the command line: a world's folder"),
    "sim/printer.py": ("loop.add_reader os.openpty os.read os.write tty", "a printer behind a pseudo terminal"),
    "sim/pumps/lines.py": ("asyncio.start_server loop.add_reader serial", "lines over TCP and a real cable"),
    "sim/pumps/port.py": ("loop.add_reader os.openpty os.read os.write tty", "pumps behind a pseudo terminal"),
    "sim/world.py": (".write_text()", "writes the card list that the station imports"),
    # The terminal is a program for people: it has this machine's time only.
    "terminal/__init__.py": ("os.environ", "settings that Textual reads when it is imported"),
    "terminal/commands.py": (".read_text() os.environ secrets time", "the command line: token, clock, command ids"),
    "terminal/link.py": ("asyncio.sleep asyncio.to_thread", "connects again after a pause; loads httpx off the loop"),
}
"""By module: what it may touch, and why."""

LONG_LINES = 450
LONG: dict[str, str] = {
    "controller/domain/reasons.py": "one catalogue: a code and what it says are read and changed together",
}
"""Modules above `LONG_LINES`, and why."""


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [*found, ROOT / "forecourt.py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def touched(tree: ast.Module) -> set[str]:
    """The watched names that a module uses, as `EDGES` spells them."""
    return {name for node in ast.walk(tree) for name in _touched_by(node)}


def _touched_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names):
            yield from (alias.name.split(".")[0] for alias in names if _is_watched(alias.name))
        case ast.ImportFrom(module=str(module), names=names):
            if _is_watched(module):
                yield module.split(".")[0]
            watched = {"asyncio": ASYNCIO, "os": OS}.get(module, frozenset())
            yield from (f"{module}.{alias.name}" for alias in names if alias.name in watched)
        case ast.Attribute(value=ast.Name("asyncio"), attr=attr) if attr in ASYNCIO:
            yield f"asyncio.{attr}"
        case ast.Attribute(value=ast.Name("os"), attr=attr) if attr in OS:
            yield f"os.{attr}"
        case ast.Attribute(value=ast.Name("datetime" | "date"), attr=attr) if attr in TODAY:
            yield f"datetime.{attr}"
        case ast.Call(func=ast.Attribute(value=ast.Name("datetime"), attr="fromtimestamp"), args=[_], keywords=[]):
            yield "datetime.fromtimestamp"  # without a zone: the machine's own
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in LOOP and "loop" in ast.unparse(value):
            yield f"loop.{attr}"
        case ast.Call(func=ast.Attribute(attr="open"), args=[ast.Constant(value=str()), *_] | []):
            yield ".open()"
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in PATHS and ast.unparse(value) != "os":
            yield f".{attr}()"
        case ast.Call(func=ast.Name("open" | "input" | "breakpoint" as name)):
            yield f"{name}()"


def _is_watched(module: str) -> bool:
    return module in MODULES or module.split(".", maxsplit=1)[0] in MODULES


def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(source_of(path))


def calls_of(tree: ast.Module, name: str) -> list[int]:
    """The lines on which the plain function `name` is called."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]


every_module = pytest.mark.parametrize("path", modules(), ids=name_of)


@every_module
def test_the_outside_world_comes_in_at_named_edges_only(path: Path) -> None:
    allowed, _ = EDGES.get(name_of(path), ("", ""))
    strange = touched(tree_of(path)) - set(allowed.split())
    assert not strange, (
        f"{name_of(path)} touches {', '.join(sorted(strange))}: take it from a Protocol of controller/domain/seams.py, "
        "or, if this is an edge, say so in EDGES with the reason"
    )


@pytest.mark.parametrize("name", EDGES)
def test_no_edge_is_listed_that_is_none_any_more(name: str) -> None:
    allowed, reason = EDGES[name]
    assert (ROOT / name).is_file(), f"{name} is gone: take it out of EDGES"
    unused = set(allowed.split()) - touched(tree_of(ROOT / name))
    assert not unused, f"{name} does not touch {', '.join(sorted(unused))} any more: take it out of EDGES"
    assert reason, "an edge has a reason"
    assert allowed == " ".join(sorted(set(allowed.split()))), "in order, so that a change is easy to read"


def test_the_ground_has_no_edge() -> None:
    assert not [name for name in EDGES if name.startswith("controller/domain/")]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import time", "time"),
        ("from time import monotonic", "time"),
        ("import os.path as p; import random as r", "random"),
        ("def f():\n    import socket", "socket"),
        ("from concurrent.futures import ThreadPoolExecutor", "concurrent"),
        ("import urllib.request", "urllib"),
        ("import asyncio\nasync def f(): await asyncio.sleep(1)", "asyncio.sleep"),
        ("from asyncio import wait_for", "asyncio.wait_for"),
        ("import os\nos.urandom(8)", "os.urandom"),
        ("from os import environ", "os.environ"),
        ("import os\nos.environ['A']", "os.environ"),
        ("from datetime import datetime\ndatetime.now(UTC)", "datetime.now"),
        ("from datetime import date\ndate.today()", "datetime.today"),
        ("datetime.fromtimestamp(0)", "datetime.fromtimestamp"),
        ("asyncio.get_running_loop().time()", "loop.time"),
        ("self._loop.call_later(1, f)", "loop.call_later"),
        ("open('x')", "open()"),
        ("path.open()", ".open()"),
        ("path.open('rb')", ".open()"),
        ("(folder / 'x').read_text()", ".read_text()"),
    ],
)
def test_the_watch_sees(source: str, name: str) -> None:
    assert name in touched(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)",
        "clock.call_at(5, f)",
        "clock.now()",
        "sealed.open(key)",
        "books.open[1]",
        "asyncio.Event()",
        "from urllib.parse import urlsplit",
        "os.O_RDONLY",
    ],
)
def test_the_watch_lets_pass(source: str) -> None:
    assert not touched(ast.parse(source))


@every_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert not source_of(path).strip() or ast.get_docstring(tree_of(path))


@every_module
def test_a_module_has_a_name_that_says_something(path: Path) -> None:
    assert not {"util", "utils", "helper", "helpers", "common", "misc", "tools"} & {path.stem, path.parent.name}


@every_module
def test_a_module_is_one_idea_or_says_why_it_is_long(path: Path) -> None:
    lines = len(source_of(path).splitlines())
    assert lines <= LONG_LINES or name_of(path) in LONG, f"{lines} lines: look for the second idea"


def test_no_module_is_called_long_that_is_not() -> None:
    for name, reason in LONG.items():
        assert len(source_of(ROOT / name).splitlines()) > LONG_LINES, name
        assert reason, name


@every_module
def test_only_commands_speak_to_people(path: Path) -> None:
    assert path.name == "commands.py" or not calls_of(tree_of(path), "print")


@pytest.mark.parametrize("path", sorted((ROOT / "controller/domain").rglob("*.py")), ids=name_of)
def test_quantities_are_exact_so_the_ground_knows_no_float(path: Path) -> None:
    tree = tree_of(path)
    assert not calls_of(tree, "float")
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno
