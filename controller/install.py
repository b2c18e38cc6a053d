"""A new station's folder: a commented station.toml, keys and till tokens. Never writes over anything."""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from controller.keys import CARD_KEYS, LIST_KEY, SECRET_BYTES, STATION_KEY, write_secret

PUBLIC_KEY = "station.pub"
CONFIG_FILE = "station.toml"
CARD_KEY_BYTES = 16
TOKEN_BYTES = 24
TILLS = ("till-1", "till-2", "manager")
"""Those of the template."""

_CARD_KEYS_TEXT = '{{"format": 1, "read_keys": {{"1": "{key}"}}}}'


class FolderInUse(Exception):
    """There is something already; the text says what."""


def install(
    folder: Path,
    toml: str,
    random_bytes: Callable[[int], bytes],
    *,
    tills: tuple[str, ...],
    card_key: bytes | None,
    list_key: bytes | None = None,
) -> None:
    """Write `toml` and new keys into `folder`. FolderInUse if any of the files is there already: none is touched.

    `card_key`: the read master of an existing network, 16 bytes; `list_key`: its list key, 32 bytes. New random ones
    where None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, keys = folder / CONFIG_FILE, folder / "keys"
    names = (STATION_KEY, LIST_KEY, CARD_KEYS, PUBLIC_KEY, *(f"{till}.token" for till in tills))
    for made in (path, *(keys / name for name in names)):
        if made.exists():
            raise FolderInUse(
                f"{folder} holds a station already ({made} is there): choose another folder, or move it away first"
            )
    keys.mkdir(mode=0o700, exist_ok=True)
    private = Ed25519PrivateKey.from_private_bytes(random_bytes(SECRET_BYTES))
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    write_secret(keys / STATION_KEY, raw.hex())
    write_secret(keys / LIST_KEY, (list_key or random_bytes(SECRET_BYTES)).hex())
    write_secret(keys / CARD_KEYS, _CARD_KEYS_TEXT.format(key=(card_key or random_bytes(CARD_KEY_BYTES)).hex()))
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (keys / PUBLIC_KEY).write_text(public.hex() + "\n", encoding="ascii")
    for till in tills:
        write_secret(keys / f"{till}.token", random_bytes(TOKEN_BYTES).hex())
    # The configuration last: a folder with a station.toml is a whole one.
    path.write_text(toml, encoding="utf-8")


TEMPLATE = """\
# A fuel station. Every key is explained here; what is commented out shows what else there is.
# After a change: restart the station (no sale is lost: deliveries go on at the pumps meanwhile).

[station]
id = "TR-0001"                      # how headquarters knows it; never change it later
name = "My station"                 # on receipts and screens
address = ["1 Station Road"]        # more lines of the receipt's head
currency = "TRY"                    # TRY, UAH, VND or EUR
time_zone = "Europe/Istanbul"
business_day_starts = 0             # the hour at which a new business day begins
simulated = {simulated}                   # true: simulated devices only, SIMULATION on screens and receipts
data = "data"                       # journal, whitelist and receipts; relative to this file
keys = "keys"                       # secret files, for this user only

[api]                               # the tills connect here
host = "127.0.0.1"                  # 0.0.0.0 lets tills of the local network in
port = 7733

[[tills]]                           # one table a till; its token file goes to that till
id = "till-1"
token_file = "keys/till-1.token"

[[tills]]
id = "till-2"
token_file = "keys/till-2.token"

[[tills]]                           # from a shell: prices, money set apart, locks. Without any manager every till may
id = "manager"
token_file = "keys/manager.token"
manager = true

# [headquarters]                    # without it the station keeps everything until there is one
# url = "http://127.0.0.1:8480"     # enrol it there: forecourt hq enrol TR-0001 keys/station.pub

[[grades]]
code = "gasoline"                   # in card lists
name = "Gasoline 95"                # on screens and receipts
price = "43.79"                     # a unit, in quotes: prices are exact
unit = "l"                          # l, m3 or kg

[[grades]]
code = "diesel"
name = "Diesel"
price = "44.12"

[[grades]]
code = "autogas"
name = "Autogas"
price = "24.35"

# [prices]
# set_by = "list"                   # headquarters sets the prices that its list names; without it the desk sets all

[[lines]]                           # a cable with pumps on it
name = "east"
protocol = "dart"                   # dart, two-wire (one grade a point) or azt2
port = "/dev/ttyUSB0"
baud = 9600                         # without it, as the protocol has it; so with the next two
# framing = "8O1"                   # data bits, parity (N, E or O) and stop bits
# slack_us = 20000                  # how long the converter may hold bytes back, in microseconds

[[points]]                          # one side of a dispenser
number = 1                          # what the tills call it
line = "east"
address = 0x50                      # 0x50 to 0x6F, as set in the dispenser
nozzles = ["gasoline", "diesel"]    # grades of its logical nozzles 1, 2 ...
volume_decimals = 2                 # how the pump counts; see its manual
amount_decimals = 2
price_decimals = 2
totaliser_decimals = 2
# totaliser_digits = 10             # with its decimals; then it rolls over. Else as the protocol counts
flow_limit_ml_per_s = 2500          # a totaliser that moves faster is another meter, not fuel
# dart = {{ display_hold_ms = 10000 }}  # what only pumps of its protocol have; others: docs/station.md

[[points]]
number = 2
line = "east"
address = 0x51
nozzles = ["gasoline", "diesel"]

# [cards]                           # the network's fuel cards
# aid = "F50401"                    # application id, as it travels to the card
# system = "forecourt"              # the network's name in the cards' keys
# More keys, for cards with rights or money of their own: docs/cards-at-the-pump.md

# [[readers]]                       # a card reader at a fuelling point, or with till = "till-1" at a till
# point = 1
# kind = "pcsc"                     # pcsc: a pattern of the reader's name; tcp: host:port of a simulated reader
# name = "ACR122U"

# [[keypads]]                       # where drivers type at the pump: docs/keypads.md
# point = 1
# kind = "tcp"
# host = "192.168.1.31"
# port = 7900

# [printer]
# port = "/dev/ttyS1"               # or tcp://192.168.1.20:9100
# model = "epson"                   # epson or generic
# width = 42                        # letters a line
# baud = 19200
# hardware_flow = true              # the cable carries RTS/CTS
"""


def template(*, simulated: bool) -> str:
    return TEMPLATE.format(simulated="true" if simulated else "false")
