"""What is shown beside cards: plates that devices read, phones that headquarters proves, vouchers and typed cards."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.deciding.shown import SEEN_S
from controller.domain.codes import Code, Scanned, signed_code
from controller.domain.desk import AuthorisePoint, Need, PointState, SeePlate, Shown, StopPoint
from controller.domain.questions import CodeAnswer, CodeAsk, PhoneAnswer, PhoneAsk, Question, QuestionAnswer
from controller.domain.reasons import Reason
from controller.domain.records import Body, RowName
from controller.domain.tokens import Assurance, TokenKind
from sim.chance import Chance
from sim.headquarters import SimulatedHeadquarters
from sim.site import STATION_ID
from sync.hq.used_codes import CodeRows
from sync.wire import RefusedAnswer
from tests.domain.rows import EPOCH, STAMP, authorised
from tests.station.house import CARD, House, story
from tests.station.test_headquarters import CLEAN, Road
from tests.station.test_limits import assert_explained
from tests.station.yard import DemoYard

CAMERA, TAG = "camera-1", "tag-1"
PLATE, STRICT_PLATE, TAG_PLATE = "34 SIM 700", "34 SIM 701", "34 SIM 702"
PHONE, VOUCHER = "+90 532 000 00 01", "V-2026-0001"
TOKENS_CSV = f"""\
card,plate,phone,voucher,account,products,fill_volume,assurance
{CARD},,,,KUZEY,diesel,60,
,{PLATE},,,KUZEY,diesel,60,
,{STRICT_PLATE},,,KUZEY,diesel,60,camera
,{TAG_PLATE},,,KUZEY,diesel,60,tag
,,{PHONE},,EGE,diesel,60,
,,,{VOUCHER},EGE,diesel,20,
"""
CODE = "482913"


class TokenYard(DemoYard):
    """A station with a camera and a tag reader."""

    def toml(self) -> str:
        devices = "".join(
            f'\n[[tills]]\nid = "{name}"\ntoken_file = "keys/{name}.token"\nsees = "{sees}"\n'
            for name, sees in ((CAMERA, "camera"), (TAG, "tag"))
        )
        return super().toml() + devices


class Phones:
    """Headquarters' end of phone codes, as a test wants it."""

    def __init__(self) -> None:
        self.sent = self.tried = 0
        self.refuses = False
        self.names: list[str] = []
        """Of questions, as the station made them up."""

    def answer(self, station: str, command_id: str, question: Question, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        self.names.append(command_id)
        match question:
            case CodeAsk(TokenKind.PHONE) if not self.refuses:
                self.sent += 1
                return CodeAnswer("+90*******01")
            case PhoneAsk(TokenKind.PHONE, code=code) if not self.refuses:
                self.tried += 1
                return PhoneAnswer(code == CODE)
        return RefusedAnswer(Reason.HEADQUARTERS_REFUSED, "no")


async def join(house: House) -> tuple[Road, Phones]:
    phones = Phones()
    await house.kill()
    road = Road(house)
    road.headquarters = SimulatedHeadquarters(STATION_ID, house.clock, Chance(7, "link"), CLEAN, phones)
    house.transport, house.link_key = road, road.headquarters.key
    await house.start()
    await house.until(lambda: house.snapshot.link.connected, 30)
    await house.state(1, PointState.IDLE)
    return road, phones


async def shown(house: House, what: Shown | None, plate: str = "", number: int = 1) -> str:
    return (await house.command(AuthorisePoint(house.next_id(), number, plate, shown=what))).reason


async def sees(house: House, plate: str, device: str = CAMERA, number: int = 1) -> str:
    return (await house.command(SeePlate(house.next_id(), number, plate), device)).reason


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_plate_that_a_camera_reads_at_a_calling_pump_lets_it_go(house: House) -> None:
    await house.calls(1)
    assert await sees(house, PLATE) == ""
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.token is not None
    assert (allowed.token.kind, allowed.token.assurance) == (TokenKind.PLATE, Assurance.CAMERA)
    assert house.point().token == "34****00"


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_plate_that_is_read_before_waits_for_the_nozzle_and_not_for_ever(house: House) -> None:
    assert await sees(house, PLATE) == ""
    await house.until(lambda: "Plate read" in house.point().text, 5)
    await house.wait(70)
    await house.calls(1)
    await house.wait(5)
    assert house.authorised == []
    house.hang_up()
    await house.state(1, PointState.IDLE)
    assert await sees(house, PLATE) == ""
    house.lift()
    await house.is_let_go()


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_plate_that_is_on_no_list_disturbs_nobody(house: House) -> None:
    await house.calls(1)
    assert await sees(house, "06 XYZ 99") == ""
    await house.wait(5)
    assert house.point().state is PointState.CALLING
    assert house.reasons == []
    assert (await house.authorise(1)).done, "for cash"


@pytest.mark.parametrize(("device", "plate", "let_go"), [(CAMERA, TAG_PLATE, False), (TAG, TAG_PLATE, True)])
@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_an_account_that_wants_a_tag_takes_no_camera(house: House, device: str, plate: str, let_go: bool) -> None:
    await house.calls(1)
    assert await sees(house, plate, device) == ""
    await house.until(lambda: bool(house.authorised or house.reasons), 5)
    assert bool(house.authorised) == let_go
    assert house.reasons == ([] if let_go else [Reason.PLATE_NOT_SURE])


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_typed_plate_counts_as_what_was_just_seen_there(house: House) -> None:
    await house.calls(1)
    assert await shown(house, Shown(plate=STRICT_PLATE)) == Reason.PLATE_NOT_SURE
    assert await sees(house, STRICT_PLATE, number=2) == ""
    assert await shown(house, Shown(plate=STRICT_PLATE)) == Reason.PLATE_NOT_SURE, "it was seen at another pump"
    assert await sees(house, STRICT_PLATE) == ""
    assert house.authorised == [], "the tile says that it was refused: the attendant types it again"
    assert await shown(house, None, plate=STRICT_PLATE) == ""
    (allowed,) = house.authorised
    assert allowed.token is not None
    assert allowed.token.assurance is Assurance.CAMERA


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_what_was_seen_is_forgotten(house: House) -> None:
    await house.calls(1)
    await shown(house, Shown(plate=STRICT_PLATE))
    await sees(house, STRICT_PLATE)
    await house.wait(SEEN_S + 1)
    assert await shown(house, Shown(plate=STRICT_PLATE)) == Reason.PLATE_NOT_SURE


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_device_says_what_it_sees_and_nothing_else(house: House) -> None:
    assert (await house.command(SeePlate(house.next_id(), 1, PLATE))).reason == Reason.DEVICE_ONLY
    assert (await house.command(StopPoint(house.next_id(), 1), CAMERA)).reason == Reason.DEVICE_ONLY
    assert await sees(house, "???") == Reason.PLATE_UNKNOWN
    assert await sees(house, PLATE, number=99) == Reason.POINT_UNKNOWN


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_voucher_is_on_the_list_and_a_typed_card_proves_nothing(house: House) -> None:
    await house.calls(1)
    assert await shown(house, Shown(card=CARD)) == Reason.CARD_NOT_PROVEN
    assert await shown(house, Shown(voucher="V-2026-0002")) == Reason.VOUCHER_UNKNOWN
    assert await shown(house, Shown(voucher="x")) == Reason.VOUCHER_UNKNOWN
    for unclear in (Shown(), Shown(card=CARD, voucher=VOUCHER)):
        assert await shown(house, unclear) == Reason.TOKEN_UNCLEAR
    assert await shown(house, Shown(voucher=VOUCHER), plate=PLATE) == Reason.TOKEN_UNCLEAR
    assert await shown(house, Shown(voucher=" V-2026- 0001")) == ""
    (allowed,) = house.authorised
    assert allowed.token is not None
    assert (allowed.token.kind, allowed.account) == (TokenKind.VOUCHER, "EGE")
    assert "2026" not in allowed.token.shown, "whoever knows it can spend it"
    assert allowed.limits.volume_ml == 20_000


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_phone_is_proven_by_the_code_that_headquarters_sent(house: House) -> None:
    _, phones = await join(house)
    await house.calls(1)
    assert await shown(house, Shown(phone=PHONE)) == ""
    await house.until(lambda: "+90*******01" in house.point().text, 10)
    assert house.point().need is Need.PHONE_CODE
    assert (await house.answer(1, Need.PHONE_CODE, "000000")).done
    await house.until(lambda: "wrong" in house.point().text, 10)
    assert (await house.answer(1, Need.PHONE_CODE, CODE)).done
    await house.is_let_go()
    (allowed,) = house.authorised
    assert allowed.token is not None
    assert (allowed.token.kind, allowed.token.assurance) == (TokenKind.PHONE, Assurance.PROVEN)
    assert (phones.sent, phones.tried) == (1, 2)
    rows = house.copy_of_disk()
    assert not any(CODE in repr(body.record) for body in rows), "a code is in no journal"


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_restored_disk_and_a_clock_that_was_set_back_repeat_no_question(house: House) -> None:
    _, phones = await join(house)
    await house.kill()
    saved = {path: path.read_bytes() for path in house.folder.glob("journal.db*")}
    asked_ms = house.clock.now().wall_ms + 60_000
    for _ in range(2):
        for path in house.folder.glob("journal.db*"):
            path.unlink()
        for path, data in saved.items():
            path.write_bytes(data)
        await house.start()
        await house.state(1, PointState.IDLE)
        await house.until(lambda: house.snapshot.link.connected, 30)
        await house.calls(1)
        house.clock.start_ms += asked_ms - house.clock.now().wall_ms
        assert await shown(house, Shown(phone=PHONE)) == ""
        await house.until(lambda: "+90*******01" in house.point().text, 10)
        await house.kill()
        house.hang_up()
    assert phones.sent == 2, "each was a question of its own"
    assert len(set(phones.names)) == 2


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_phone_that_is_on_no_list_is_sent_nothing(house: House) -> None:
    _, phones = await join(house)
    await house.calls(1)
    assert await shown(house, Shown(phone="+90 532 000 00 02")) == Reason.PHONE_UNKNOWN
    assert await shown(house, Shown(phone="12")) == Reason.PHONE_UNKNOWN
    assert phones.sent == 0


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_without_headquarters_no_phone_is_proven(house: House) -> None:
    await house.calls(1)
    assert await shown(house, Shown(phone=PHONE)) == Reason.NEEDS_HEADQUARTERS
    house.hang_up()
    await house.state(1, PointState.IDLE)
    road, phones = await join(house)
    road.late_s = 40
    await house.calls(1)
    assert await shown(house, Shown(phone=PHONE)) == ""
    await house.until(lambda: house.reasons[-1:] == [Reason.NEEDS_HEADQUARTERS] and len(house.reasons) == 2, 30)
    road.late_s, phones.refuses = 0, True
    assert await shown(house, Shown(phone=PHONE)) == ""
    await house.until(lambda: house.reasons[-1] == Reason.PHONE_NOT_PROVEN, 30)
    assert house.authorised == []


@story(yard=TokenYard(), cards_csv=TOKENS_CSV)
async def test_a_code_that_is_checked_too_late_lets_nobody_go(house: House) -> None:
    road, _ = await join(house)
    await house.calls(1)
    await shown(house, Shown(phone=PHONE))
    await house.until(lambda: "+90*******01" in house.point().text, 10)
    road.late_s = 5
    twice = house.answering(1, Need.PHONE_CODE, CODE), house.answering(1, Need.PHONE_CODE, CODE)
    assert (await house.command(twice[0])).done
    assert (await house.command(twice[1])).reason == Reason.QUESTION_GONE
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await house.wait(10)
    assert house.authorised == []


SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FORGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
MINUTE_MS = 60_000


def code(
    house: House, number: int = 1, *, from_min: int = 0, until_min: int = 5, signer: Ed25519PrivateKey = SIGNER
) -> Shown:
    """A code of one use for the holder of the card."""
    now_ms = house.clock.now().wall_ms
    window = now_ms + from_min * MINUTE_MS, now_ms + until_min * MINUTE_MS
    key = house.station.site.card(CARD).key
    return Shown(qr=signed_code(Code(TokenKind.CARD, key, *window, bytes([number] * 8)), signer.sign))


async def trusts(house: House) -> None:
    """The station has headquarters' key."""
    await house.kill()
    house.code_keys = (SIGNER.public_key().public_bytes_raw(),)
    await house.start()
    await house.state(1, PointState.IDLE)


@story(cards_csv=TOKENS_CSV)
async def test_a_code_lets_one_pump_go_once_also_after_a_restart(house: House) -> None:
    await trusts(house)
    await house.calls(1)
    first = code(house, until_min=30)
    assert await shown(house, Shown(qr=f" {first.qr[:40]}\n{first.qr[40:]}")) == "", "as a scanner may type it"
    (allowed,) = house.authorised
    assert allowed.token is not None
    assert (allowed.token.kind, allowed.token.shown, allowed.account) == (TokenKind.QR, "code", "KUZEY")
    await house.calls(2)
    assert await shown(house, first, number=2) == Reason.QR_USED, "while the first pump may deliver"
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    assert await shown(house, first, number=2) == "", "nothing was delivered for it"
    await house.fills(2, 5_000)
    await house.state(2, PointState.IDLE, seconds=60)
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.calls(1)
    assert await shown(house, first) == Reason.QR_USED
    assert await shown(house, code(house, 2)) == ""
    assert_explained(house)


@story(cards_csv=TOKENS_CSV)
async def test_a_code_that_another_station_has_used_lets_nobody_go_here(house: House) -> None:
    house.code_keys = (SIGNER.public_key().public_bytes_raw(),)
    road, _ = await join(house)
    used, free = code(house, 1, until_min=60), code(house, 2, until_min=60)
    scanned = Scanned(bytes([1] * 8), 0, house.clock.now().wall_ms + 60 * MINUTE_MS)
    elsewhere = authorised()
    elsewhere = msgspec.structs.replace(elsewhere, evidence=msgspec.structs.replace(elsewhere.evidence, code=scanned))
    with road.headquarters.store.commit() as db:
        CodeRows(db, "SIM-0002", 0).enter([Body(RowName(EPOCH, 1), STAMP, elsewhere)])
    await house.wait(330)
    await house.calls(1)
    assert await shown(house, used) == Reason.QR_USED
    await house.kill()
    await house.start()
    await house.until(lambda: house.snapshot.link.connected, 30)
    await house.wait(5)
    assert await shown(house, used) == Reason.QR_USED, "it is told again"
    assert house.authorised == []
    assert await shown(house, free) == ""
    await house.is_let_go()
    assert_explained(house)


@story(cards_csv=TOKENS_CSV)
async def test_a_code_that_is_forged_early_or_late_lets_nobody_go(house: House) -> None:
    await house.calls(1)
    assert await shown(house, code(house)) == Reason.QR_NOT_PROVEN, "this station has no key of headquarters"
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await trusts(house)
    await house.calls(1)
    good = code(house).qr
    changed = good[:30] + ("A" if good[30] != "A" else "B") + good[31:]
    for forged in (
        code(house, signer=FORGER),
        Shown(qr=changed),
        Shown(qr=good[:-20]),
        Shown(qr="FQ1."),
        Shown(qr="x"),
    ):
        assert await shown(house, forged) == Reason.QR_NOT_PROVEN
    assert await shown(house, code(house, from_min=2)) == Reason.QR_EARLY
    assert await shown(house, code(house, from_min=-9, until_min=0)) == Reason.QR_EXPIRED
    assert house.authorised == []
    waiting = code(house, until_min=1)
    await house.wait(61)
    assert await shown(house, waiting) == Reason.QR_EXPIRED
    assert_explained(house)
