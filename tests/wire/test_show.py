"""Recordings on disk: the file's lines, what is damaged in them, and the table with its small filter language."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.decoded import Direction
from controller.wire.commands import wire
from controller.wire.decode import Heard, decode_all
from controller.wire.filter import DEPTH_MAX, BadFilter, filter_of
from controller.wire.protocols import protocol_of
from controller.wire.record import BadRecording, Heading, Recorder, Recording

DART = protocol_of("dart")
HEADING = Heading(protocol="dart", source="/dev/ttyUSB0", started_ms=1_790_000_000_000)
TALK = [
    ("51 20 FA", Direction.TO_PUMP),
    ("51 70 FA", Direction.TO_MASTER),
    ("50 34 02 02 01 02 01 01 05 70 ED 03 FA", Direction.TO_PUMP),
    ("50 C4 FA", Direction.TO_MASTER),
    ("50 20 FA", Direction.TO_PUMP),
    ("50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA", Direction.TO_MASTER),
    ("50 36 01 01 02 03 04 00 21 80 11 0E 49 03 FA", Direction.TO_MASTER),
]
FRAMES = [frame for text, direction in TALK for frame in decode_all(DART, bytes.fromhex(text), direction)]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wire"
    with path.open("xb") as file:
        recorder = Recorder(file, HEADING)
        for number, frame in enumerate(FRAMES):
            recorder.add([frame], number * 40_000)
    return path


def test_what_was_recorded_is_read_again(recorded: Path) -> None:
    with recorded.open("rb") as file:
        recording = Recording(file)
    assert recording.heading == HEADING
    assert [frame.at_us for frame in recording.frames] == [number * 40_000 for number in range(len(FRAMES))]
    assert [frame.hex for frame in recording.frames] == [frame.hex for frame in FRAMES]
    assert not recording.cut


def test_only_whole_lines_are_written_each_at_once() -> None:
    class Counting(io.BytesIO):
        writes: list[bytes]

        def write(self, data: object) -> int:
            self.writes.append(bytes(data))  # type: ignore[call-overload]
            return len(self.writes[-1])

    file = Counting()
    file.writes = []
    Recorder(file, HEADING).add(FRAMES, 5)
    assert len(file.writes) == 1 + len(FRAMES)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in file.writes)


def test_a_last_line_that_was_cut_off_is_left_out(recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes()[:-20])
    result = CliRunner().invoke(wire, ["show", str(recorded)])
    assert result.exit_code == 0
    assert "cut off" in result.stderr
    assert f"{len(FRAMES) - 1} of {len(FRAMES) - 1} frames" in result.stderr


@pytest.mark.parametrize(
    ("line", "text", "wrong"),
    [
        (0, b"", "line 1"),
        (0, b'{"wire":2,"protocol":"dart","source":"","started_ms":0}\n', "line 1: a recording of format 2"),
        (2, b"{}\n", "line 3"),
        (2, b"\xff\xfe\n", "line 3"),
        (
            1,
            b'{"direction":"x","address":1,"kind":"x","crc":"ok","hex":"5","transactions":[],"at_us":1}\n',
            "line 2: hex: odd",
        ),
        (1, b'{"direction":"x","address":1,"kind":"x","crc":"ok","hex":"50","transactions":[]}\n', "line 2: at_us"),
        (1, b"x" * 200_000 + b"\n", "line 2: 200001 bytes"),
    ],
)
def test_a_damaged_recording_is_named_by_its_line(recorded: Path, line: int, text: bytes, wrong: str) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    lines[line] = text
    kept = lines[: line + 1] if text else []
    with pytest.raises(BadRecording, match=wrong):
        Recording(kept)
    recorded.write_bytes(b"".join(kept))
    result = CliRunner().invoke(wire, ["show", str(recorded)])
    assert result.exit_code == 1
    assert wrong in result.stderr


def test_a_table_has_a_line_a_frame(recorded: Path) -> None:
    result = CliRunner().invoke(wire, ["show", str(recorded)])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + len(FRAMES)
    assert lines[1].split() == ["0.000", "->", "0x51", "poll"]
    assert "block: tx 4; allowed nozzles: nozzles 1 2; reset" in lines[3]
    assert "nozzle: price 2180, nozzle 1, out yes" in lines[6]
    assert "bad" in lines[7]
    assert "50 36 01" in lines[7]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("pump==0x51", 2),
        ("pump==81", 2),
        ("pump != 0x51", 5),
        ("kind in (poll, eot)", 3),
        ("kind==data and crc==ok", 2),
        ("kind==data and crc==bad or direction==to-pump and pump==0x50", 3),
        ("kind==data and (crc==bad or direction==to-pump)", 2),
        ("name==reset", 1),
        ("name=='allowed nozzles'", 1),
        ('name in ("allowed nozzles", nozzle)', 2),
        ("name!=reset", 6),
        ("((pump==0x50))", 5),
    ],
)
def test_a_filter_chooses(recorded: Path, text: str, count: int) -> None:
    assert sum(map(filter_of(text), FRAMES)) == count
    result = CliRunner().invoke(wire, ["show", str(recorded), "--filter", text])
    assert len(result.stdout.splitlines()) == 1 + count


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("pump", 5),
        ("pump==", 7),
        ("pump=3", 5),
        ("pomp==3", 1),
        ("pump==three", 7),
        ("kind==data kind==poll", 12),
        ("kind in data", 9),
        ("kind in (data", 14),
        ("kind in (,)", 10),
        ("(kind==data", 12),
        ("kind==data)", 11),
        ("kind==data and", 15),
        ("kind == ;", 9),
        ("kind=='data", 7),
        ("__import__('os')", 1),
        ("(" * (DEPTH_MAX + 2), DEPTH_MAX + 2),
    ],
)
def test_a_wrong_filter_is_named_by_its_position(recorded: Path, text: str, position: int) -> None:
    with pytest.raises(BadFilter, match=f"^position {position}:"):
        filter_of(text)
    result = CliRunner().invoke(wire, ["show", str(recorded), "--filter", text])
    assert result.exit_code == 1
    assert f"--filter: position {position}:" in result.stderr


@given(st.text(alphabet="pumkindcr=!()andor, '\"0x1+", max_size=60))
def test_any_text_is_a_filter_or_a_bad_one(text: str) -> None:
    try:
        wanted = filter_of(text)
    except BadFilter:
        return
    for frame in FRAMES:
        assert isinstance(wanted(frame), bool)


def test_frames_are_what_they_were() -> None:
    assert all(isinstance(frame, Heard) for frame in FRAMES)
    assert [frame.damaged for frame in FRAMES] == [False] * 6 + [True]
