"""A whole boot through a stand-in for MokManager, over a real unix socket and a real pseudo-terminal."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_line import LineError, open_line, prove
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import Wish
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_session import Patience, Session
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_transcript import tail
from tests.unit import mok_manager_stand_in
from tests.unit.mok_manager_stand_in import Gone, MokManager

QUICK = Patience(first=4, settle=0.04, torn=0.1, again=0.3, stuck=1.2, away=0.3, key=0.002)
CANARY = "Canary4711"
FINGERPRINT = "8A:17:93:12:8A:31:32:2F:EE:D7:08:8F:0F:FC:0F:65:47:60:58:01"


def over_socket(folder, wish=None, password="lab12345", patience=QUICK, tcp=False, **machine):
    """Boots the stand-in on a unix socket (or a TCP port) and answers it; gives machine, session and verdict."""
    server = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
    server.bind(("127.0.0.1", 0) if tcp else str(folder / "console"))
    server.listen(1)
    where = {"tcp": f"127.0.0.1:{server.getsockname()[1]}"} if tcp else {"socket": str(folder / "console")}
    box = []

    def serve():
        line, _peer = server.accept()

        def receive(seconds):
            line.settimeout(seconds)
            try:
                one = line.recv(1)
            except TimeoutError:
                return b""
            if not one:
                raise Gone
            return one

        box.append(MokManager(line.sendall, receive, tick=0.2, **machine))
        with suppress(Gone, OSError):
            box[0].boot()
        line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    line = open_line(where)
    session = Session(line, wish or Wish("enrol"), password, str, patience)
    verdict = session.run()
    line.close()
    thread.join(3)
    server.close()
    return box[0], session, verdict


def names(session):
    return [one["screen"] for one in session.screens]


@pytest.mark.parametrize("tcp", [False, True], ids=["unix socket", "TCP"])
def test_a_key_is_enrolled(tmp_path, tcp):
    machine, session, verdict = over_socket(tmp_path, tcp=tcp)
    assert (verdict.outcome, machine.end, machine.typed) == ("enrolled", "rebooted", ["lab12345"])
    assert names(session) == ["countdown", "menu", "enrol_list", "confirm_enrol", "password", "menu"]
    assert session.screens[4]["pressed"] == ["the password", "Enter"]


def test_a_key_is_removed(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, Wish("delete"), request="delete")
    assert (verdict.outcome, machine.changed, machine.end) == ("deleted", True, "rebooted")


def test_a_terminal_without_colours_does(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, plain=True)
    assert (verdict.outcome, machine.changed) == ("enrolled", True)


def test_a_lost_key_is_pressed_again(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, deaf=2)
    assert (verdict.outcome, machine.changed) == ("enrolled", True)


def test_a_menu_that_came_in_pieces_is_drawn_again(tmp_path):
    machine, session, verdict = over_socket(tmp_path, spoilt=True)
    assert (verdict.outcome, machine.changed) == ("enrolled", True)
    assert "damaged" in names(session)


def test_the_expected_key_is_looked_at_and_confirmed(tmp_path):
    machine, session, verdict = over_socket(tmp_path, Wish("enrol", (FINGERPRINT,)))
    assert (verdict.outcome, machine.changed) == ("enrolled", True)
    assert session.screens[names(session).index("key")]["shows"].startswith(
        "Key 8a1793128a31322feed7088f0ffc0f65476058"
    )


def test_another_key_is_not_confirmed(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, Wish("enrol", (FINGERPRINT[:-1] + "F",)))
    assert (verdict.outcome, machine.changed, machine.end, machine.typed) == ("refused", False, "booted", [])


def test_a_wrong_password_is_tried_three_times_and_the_machine_boots(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, password=CANARY)
    assert (verdict.outcome, machine.changed, machine.end) == ("wrong_password", False, "booted")
    assert machine.typed == [CANARY] * 3
    assert "Stage it again" in verdict.says


def test_what_was_not_staged_is_refused_and_the_machine_boots(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, Wish("delete"))
    assert (verdict.outcome, machine.changed, machine.end) == ("refused", False, "booted")
    assert "offers Enroll MOK" in verdict.says


def test_a_countdown_that_takes_no_key_is_dismissed(tmp_path):
    machine, _session, verdict = over_socket(tmp_path, deaf=99, seconds=4)
    assert (verdict.outcome, machine.changed, machine.pressed) == ("dismissed", False, [])


@pytest.mark.parametrize("where", ["menu", "list", "confirm"])
def test_a_message_nobody_knows_leads_out_without_a_change(tmp_path, where):
    machine, _session, verdict = over_socket(tmp_path, odd=where)
    assert (verdict.outcome, machine.changed, machine.typed) == ("surprise", False, [])


def test_a_screen_nobody_knows_gets_no_key(tmp_path):
    machine, session, verdict = over_socket(tmp_path, odd="list", offers=("Format disk", "Burn down"))
    assert (verdict.outcome, machine.changed, machine.pressed) == ("surprise", False, [" ", "Down", "Enter"])
    assert names(session) == ["countdown", "menu"]


def test_a_list_of_forbidden_keys_is_not_ours(tmp_path):
    machine, _session, verdict = over_socket(
        tmp_path, odd="list", shows=("[Enroll MOKX]",), offers=("View key 0", "Continue")
    )
    assert (verdict.outcome, machine.changed, machine.pressed) == ("surprise", False, [" ", "Down", "Enter"])


@pytest.mark.parametrize(("times", "outcome"), [(1, "enrolled"), (3, "enrolled"), (9, "surprise")])
def test_a_question_without_its_title_is_left_and_asked_for_again(tmp_path, times, outcome):
    machine, _session, verdict = over_socket(tmp_path, untitled=times)
    assert (verdict.outcome, machine.changed) == (outcome, outcome == "enrolled")


def test_a_console_that_says_nothing_is_not_seen(tmp_path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "console"))
    server.listen(1)
    line = open_line({"socket": str(tmp_path / "console")})
    session = Session(line, Wish("enrol"), CANARY, str, Patience(first=0.3))
    verdict = session.run()
    assert verdict.outcome == "not_seen" and "Nothing came over the console" in verdict.says
    line.close()


def test_nothing_that_is_kept_or_said_holds_the_password(tmp_path):
    _machine, session, verdict = over_socket(tmp_path, password=CANARY)
    kept = repr((session.screens, verdict, tail(session.text + CANARY, [CANARY], 500)))
    assert CANARY.lower() not in kept.lower()


def test_a_command_on_a_terminal_of_its_own_does(tmp_path):
    report = tmp_path / "report"
    line = open_line({"command": [sys.executable, mok_manager_stand_in.__file__, "lab12345", str(report)]})
    verdict = Session(line, Wish("enrol"), "lab12345", str, QUICK).run()
    line.close()
    assert (verdict.outcome, report.read_text(encoding="utf-8")) == ("enrolled", "rebooted True")


def test_a_command_that_ends_at_once_is_a_sentence():
    line = open_line({"command": [sys.executable, "-c", "print('SOL payload already active on another session')"]})
    with pytest.raises(LineError, match=r"SOL payload already active on another session.*not rebooted"):
        prove(line, "")
    line.close()


@pytest.mark.parametrize(
    "console",
    [{"command": ["/no/such/program"]}, {"socket": "/no/such/socket"}, {"tcp": "127.0.0.1:1"}],
    ids=["command", "socket", "tcp"],
)
def test_a_console_that_cannot_be_had_is_a_sentence(console):
    with pytest.raises(LineError, match=r"cannot be (reached|started)"):
        open_line(console)
