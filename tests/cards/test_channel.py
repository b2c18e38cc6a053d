"""Secure messaging gives what NXP's public application notes print, and both ends of it agree on a simulated card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_io import errors
from card_io.apdu import Response
from card_io.desfire import administration, commands
from card_io.desfire.channel import Call, Channel, Mode, OpenChannel
from card_io.desfire.crypto import AesKey, SessionKeys
from card_io.desfire.ev1 import Ev1Channel, authenticate_ev1, crc32, ev1_session_key
from card_io.desfire.ev2 import Ev2Channel, authenticate_ev2_first
from card_io.desfire.files import CyclicFile, DataFile, FileSettings, Rights, TransactionMacFile, ValueFile
from card_io.desfire.files import parse_settings as parse
from card_io.session import Steps, StepSession
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.make import new_state
from tests.cards.bench import UID, seeded

X = bytes.fromhex
ZERO_KEY = AesKey(bytes(16))
AN12196 = SessionKeys(AesKey(X("4CF3CB41A22583A61E89B158D252FC53")), AesKey(X("5529860B2FC5FB6154B7F28361D30BF9")))
AID = X("F5423F")


def ran(steps: Steps[bytes], *answers: str) -> tuple[list[str], bytes | None]:
    """The commands of some steps, and their result where the answers carry them to their end."""
    session = StepSession(steps)
    sent: list[str] = []
    for answer in [*answers, None]:
        command = session.next()
        if command is None:
            return sent, session.result
        sent.append(bytes(command).hex().upper())
        if answer is not None:
            session.feed(Response.parse(X(answer)))
    return sent, None


def test_changing_another_key_is_as_printed() -> None:
    new = administration.PlainKey(X("F3847D627727ED3BC9C4CC050489B966"))
    call = administration.change_other_key(2, new, 1, administration.FACTORY_KEY)
    sent, result = ran(Ev2Channel(AN12196, X("7614281A"), 2).call(call), "203BB55D1089D5879100")
    assert sent == ["90C4000029022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E600"]
    assert result == b""


def test_changing_the_own_key_is_as_printed_and_ends_the_session() -> None:
    new = administration.PlainKey(X("5004BF991F408672B1EF00F08F9E8647"))
    channel = Ev2Channel(AN12196, X("7614281A"), 3)
    sent, result = ran(channel.call(administration.change_own_key(0, new, 1)), "9100")
    assert sent == ["90C400002900C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED643200"]
    assert result == b""
    with pytest.raises(RuntimeError, match="authenticate again"):
        next(channel.call(commands.abort_transaction()))


def test_an_encrypted_write_is_as_printed_but_for_its_code() -> None:
    """Printed with 8D; the code is in the MAC, so only the encrypted data can be the same under 3D."""
    keys = SessionKeys(AesKey(X("7A93D6571E4B180FCA6AC90C9A7488D4")), AesKey(X("FC4AF159B62E549B5812394CAB1918CC")))
    header, data = X("030000000A0000"), X("0102030405060708090A")
    printed = Call(0x8D, "to write", header, data, Mode.FULL)
    sent, result = ran(Ev2Channel(keys, X("7614281A")).call(printed), "C26D236E4A7C046D9100")
    assert sent == ["908D00001F030000000A00006B5E6804909962FC4E3FF5522CF0F8436C0C53315B9C73AA00"]
    assert result == b""
    ours, _ = ran(Ev2Channel(keys, X("7614281A")).call(commands.write_data(3, data, Mode.FULL)))
    assert ours[0].startswith("903D00001F030000000A00006B5E6804909962FC4E3FF5522CF0F843")


def test_changing_file_settings_is_as_printed() -> None:
    keys = SessionKeys(AesKey(X("1309C877509E5A215007FF0ED19CA564")), AesKey(X("4C6626F5E72EA694202139295C7A7FC7")))
    call = Call(0x5F, "to change", b"\x02", X("4000E0C1F121200000430000430000"), Mode.FULL)
    sent, _ = ran(Ev2Channel(keys, X("9D00C4DF"), 1).call(call), "57BFF87B1241E93D9100")
    assert sent == ["905F0000190261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A0400"]


def test_the_maced_write_and_read_are_as_printed() -> None:
    keys = SessionKeys(ZERO_KEY, AesKey(X("9366FA195EB566F5BD2BAD4020B83002")))
    channel = Ev2Channel(keys, X("E2D3AF69"))
    write = Call(0x8D, "to write", X("00000000190000"), b"\x22" * 25)
    sent, result = ran(channel.call(write), "0820F68898C2A7F19100")
    assert sent == ["908D000028000000001900002222222222222222222222222222222222222222222222222268F2C28C575A162800"]
    assert result == b""
    sent, _ = ran(commands.read_data(channel, 0, 0x30, Mode.MAC))
    assert sent == ["90AD00000F000000003000000D9BE191D596083400"]


def test_the_printed_ev1_authentication_runs_command_for_command() -> None:
    session = StepSession(authenticate_ev1(ZERO_KEY, 0, X("2347C1557F80707ABDFF86BF9D965CA7")))
    assert bytes(session.next() or b"") == X("90AA0000010000")
    session.feed(Response.parse(X("C5537C8EFFFCC7E152C27831AFD383BA91AF")))
    assert bytes(session.next() or b"") == X(
        "90AF0000201EF512D957973AED7E6E13991EB0FB431B373EA23400A3AC0B7749CD6FB1C32800"
    )
    session.feed(Response.parse(X("FFC212245F03DB0EA0645A495190952A9100")))
    assert session.next() is None
    known = ev1_session_key(X("2347C1557F80707ABDFF86BF9D965CA7"), X("1EA0353A7D2947D8BBC6AD6FB52FCA84"))
    call = commands.write_data(1, b"x" * 20, Mode.FULL)
    assert ran(session.result.call(call))[0] == ran(Ev1Channel(known).call(call))[0], "the session key, by what it does"


def test_desfires_crc_is_as_printed() -> None:
    assert crc32(X("F3847D627727ED3BC9C4CC050489B966")) == X("789DFADC")


def test_a_long_write_goes_in_frames_of_59_bytes() -> None:
    keys = SessionKeys(ZERO_KEY, ZERO_KEY)
    sent, _ = ran(
        Ev2Channel(keys, bytes(4)).call(commands.write_data(2, bytes(239), Mode.FULL)), "91AF", "91AF", "91AF", "91AF"
    )
    assert [(frame[2:4], int(frame[8:10], 16)) for frame in sent] == [
        ("3D", 59),
        ("AF", 59),
        ("AF", 59),
        ("AF", 59),
        ("AF", 7 + 240 + 8 - 4 * 59),
    ]


def test_a_card_that_refuses_in_the_middle_of_a_write_is_heard() -> None:
    steps = OpenChannel().call(commands.write_data(2, bytes(239), Mode.PLAIN))
    with pytest.raises(errors.CardStatusError, match="boundary"):
        ran(steps, "91AF", "91BE")
    with pytest.raises(errors.GarbledAnswer, match="before it had heard all"):
        ran(OpenChannel().call(commands.write_data(2, bytes(239), Mode.PLAIN)), "9100")


# --- both ends together: a simulated card that is not built from this code


class Ev1Card(SimCard):
    """Says that it is a card of the first generation, and knows none of the commands that came later."""

    def transmit(self, frame: bytes) -> bytes:
        if frame[1:2] in (b"\x71", b"\x77", b"\xad", b"\x8d", b"\xc8"):
            return X("911C")
        answer = super().transmit(frame)
        return X("04010101") + answer[4:] if frame[:2] == X("9060") else answer


def _prepared(card: SimCard, *, ev2: bool) -> Channel:
    """An application with a file of each kind and mode, and a session of its key 0."""

    def steps() -> Steps[Channel]:
        level = OpenChannel()
        yield from level.call(administration.create_application(AID, 3))
        yield from level.call(commands.select_application(AID))
        authenticate = authenticate_ev2_first if ev2 else authenticate_ev1
        channel = yield from authenticate(ZERO_KEY, 0, bytes(range(16)))
        for number, settings in FILES.items():
            yield from channel.call(administration.create_file(number, settings))
        return channel

    return run_session_blocking(StepSession(steps()), card.transmit)


ALL = Rights(0, 0, 0, 0)
FILES: dict[int, FileSettings] = {
    **{1 + index: DataFile(mode, ALL, 100) for index, mode in enumerate(Mode)},
    **{4 + index: DataFile(mode, ALL, 100, backup=True) for index, mode in enumerate(Mode)},
    **{7 + index: ValueFile(mode, ALL, -100, 10_000, 500) for index, mode in enumerate(Mode)},
    **{10 + index: CyclicFile(mode, ALL, 20, 4) for index, mode in enumerate(Mode)},
}


def _card(*, ev2: bool) -> SimCard:
    return (SimCard if ev2 else Ev1Card)(new_state(UID), seeded())


both = pytest.mark.parametrize("ev2", [True, False], ids=["EV2", "EV1"])


@both
def test_every_kind_of_file_in_every_mode_is_written_and_read_back(ev2: bool) -> None:
    card = _card(ev2=ev2)
    channel = _prepared(card, ev2=ev2)

    def steps() -> Steps[None]:
        assert (yield from commands.get_card_uid(channel)) == UID
        assert (yield from commands.get_file_ids(channel)) == FILES.keys()
        for index, mode in enumerate(Mode):
            data, record = bytes(range(mode, 90 + mode)), bytes([mode]) * 20
            for number in (1 + index, 4 + index):
                yield from channel.call(commands.write_data(number, data, mode, offset=5))
            yield from channel.call(commands.credit(7 + index, 300, mode))
            yield from channel.call(commands.debit(7 + index, 200, mode))
            yield from channel.call(commands.write_record(10 + index, record, mode))
            assert (yield from commands.commit(channel, transaction_mac=False)) is None
            for number in (1 + index, 4 + index):
                assert (yield from commands.read_data(channel, number, 90, mode, offset=5)) == data
            assert (yield from commands.get_value(channel, 7 + index, mode)) == 600
            yield from channel.call(commands.limited_credit(7 + index, 150, mode))
            yield from channel.call(commands.abort_transaction())
            assert (yield from commands.get_value(channel, 7 + index, mode)) == 600
            assert (yield from commands.read_records(channel, 10 + index, 20, 1, mode)) == (record,)

    run_session_blocking(StepSession(steps()), card.transmit)


@both
def test_files_say_what_they_were_made_as(ev2: bool) -> None:
    card = _card(ev2=ev2)
    channel = _prepared(card, ev2=ev2)

    def steps() -> Steps[None]:
        for number, settings in FILES.items():
            there = yield from commands.get_file_settings(channel, number)
            if isinstance(settings, ValueFile):
                assert isinstance(there, ValueFile)
                settings = ValueFile(settings.mode, ALL, settings.lower, settings.upper, there.value)  # noqa: PLW2901
            assert there == settings
        stricter = DataFile(Mode.FULL, Rights(1, 2, 0x0F, 0), 100)
        yield from channel.call(administration.change_file_settings(1, stricter))
        assert (yield from commands.get_file_settings(channel, 1)) == stricter

    run_session_blocking(StepSession(steps()), card.transmit)


@both
def test_keys_and_settings_are_changed_the_own_one_last(ev2: bool) -> None:
    card = _card(ev2=ev2)
    channel = _prepared(card, ev2=ev2)
    first, other = administration.PlainKey(b"1" * 16), administration.PlainKey(b"2" * 16)
    authenticate = authenticate_ev2_first if ev2 else authenticate_ev1

    def steps() -> Steps[Channel]:
        factory = administration.FACTORY_KEY
        yield from channel.call(administration.change_other_key(1, first, 7, factory))
        yield from channel.call(administration.change_other_key(1, other, 8, first))
        assert (yield from commands.get_key_version(channel, 1)) == 8
        yield from channel.call(administration.change_key_settings(0x09))
        assert (yield from administration.get_key_settings(channel)) == X("0983")
        yield from channel.call(administration.change_own_key(0, first, 9))
        yield from authenticate(first, 0, bytes(16))
        return (yield from authenticate(other, 1, bytes(16)))

    run_session_blocking(StepSession(steps()), card.transmit)


def test_another_key_goes_on_with_the_transaction_in_ev2() -> None:
    card = _card(ev2=True)
    channel = _prepared(card, ev2=True)
    assert isinstance(channel, Ev2Channel)

    def steps() -> Steps[bytes]:
        yield from channel.call(commands.write_data(6, b"kept", Mode.FULL))
        yield from channel.authenticate_non_first(ZERO_KEY, 1, bytes(16))
        yield from commands.commit(channel, transaction_mac=False)
        yield from channel.authenticate_non_first(ZERO_KEY, 0, bytes(16))
        return (yield from commands.read_data(channel, 6, 4, Mode.FULL))

    assert run_session_blocking(StepSession(steps()), card.transmit) == b"kept"


def test_a_card_is_formatted_and_an_application_deleted() -> None:
    card = _card(ev2=True)
    channel = _prepared(card, ev2=True)

    def steps() -> Steps[None]:
        yield from channel.call(administration.delete_application(AID))

    run_session_blocking(StepSession(steps()), card.transmit)
    assert card.state.applications == []
    card.state.master.kind = "aes"
    _prepared(card, ev2=True)

    def formatting() -> Steps[None]:
        yield from OpenChannel().call(commands.select_application(bytes(3)))
        level = yield from authenticate_ev2_first(ZERO_KEY, 0, bytes(16))
        yield from level.call(administration.format_card())

    run_session_blocking(StepSession(formatting()), card.transmit)
    assert card.state.applications == []


@both
@pytest.mark.parametrize("mode", list(Mode))
def test_a_turned_bit_in_a_protected_answer_is_never_taken(ev2: bool, mode: Mode) -> None:
    card = _card(ev2=ev2)
    channel = _prepared(card, ev2=ev2)
    protected = mode is not Mode.PLAIN or not ev2  # EV1 adds a MAC to every answer of a session
    number = 1 + list(Mode).index(mode)

    def transmit(apdu: bytes) -> bytes:
        answer = bytearray(card.transmit(apdu))
        answer[3] ^= 0x10
        return bytes(answer)

    session = StepSession(commands.read_data(channel, number, 30, mode))
    if protected:
        with pytest.raises(errors.ProofFailed):
            run_session_blocking(session, transmit)
        with pytest.raises(RuntimeError, match="authenticate again"):
            StepSession(commands.get_card_uid(channel))
    else:
        assert run_session_blocking(session, transmit)[3] == 0x10


@given(st.binary(max_size=20))
def test_settings_that_no_file_has_are_named(raw: bytes) -> None:
    try:
        settings = parse(raw)
    except errors.NotOurCard:
        return
    assert bytes((settings.kind, raw[1])) + bytes(settings.rights) == raw[:4]


def test_a_transaction_mac_file_says_its_keys_version() -> None:
    assert parse(X("0501") + bytes(Rights(1, 15, 2, 0)) + X("0207")) == TransactionMacFile(
        Mode.MAC, Rights(1, 15, 2, 0), 7
    )


def test_calls_do_not_show_their_data() -> None:
    call = administration.change_own_key(0, administration.PlainKey(b"secretsecretsecr"), 1)
    assert "secret" not in repr(call)
