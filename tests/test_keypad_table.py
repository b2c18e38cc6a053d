"""`[[keypads]]` of station.toml: one keypad a point at most, and what is wrong is named."""

from pathlib import Path

import pytest

from controller.config import ConfigError, parse
from controller.install import template
from controller.keypad_table import KeypadTable

PATH = Path("/srv/station/station.toml")
STATION = template(simulated=False)
KEYPAD = '\n[[keypads]]\npoint = 1\nkind = "tcp"\nhost = "192.168.1.31"\nport = 7900\n'


def test_a_point_has_a_keypad() -> None:
    assert parse(STATION, PATH).file.keypads == ()
    second = KEYPAD.replace("point = 1", "point = 2").replace(".31", ".32")
    assert parse(STATION + KEYPAD + second, PATH).file.keypads == (
        KeypadTable(1, "tcp", "192.168.1.31", 7900),
        KeypadTable(2, "tcp", "192.168.1.32", 7900),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (KEYPAD.replace("point = 1", "point = 9"), r"keypads\[0\]\.point: 9 is no point of this station"),
        (KEYPAD + KEYPAD.replace("7900", "7901"), r"keypads\[1\]\.point: point 1 has a keypad already"),
        (KEYPAD + KEYPAD.replace("point = 1", "point = 2"), r"keypads\[1\]\.port: 192.168.1.31:7900 is the keypad of"),
        (KEYPAD.replace("192.168.1.31", ""), r"keypads\[0\]\.host: '': expected a name or an address"),
        (KEYPAD.replace("7900", "0"), r"keypads\[0\]\.port: 0: expected a port, 1 to 65535"),
        (KEYPAD.replace("7900", "70000"), r"keypads\[0\]\.port: 70000: expected a port"),
        (KEYPAD.replace('"tcp"', '"serial"'), r"keypads\[0\]\.kind \(line \d+\): invalid enum value 'serial'"),
        (KEYPAD.replace('host = "192.168.1.31"\n', ""), r"keypads\[0\]"),
        (KEYPAD + 'pin = "x"\n', r"keypads\[0\]\.pin \(line \d+\): this key is not known here"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse(STATION + text, PATH)
    assert str(caught.value).startswith(f"{PATH}: ")
