"""MokManager's screens as a real one drew them over a serial line, and what is no screen of its."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_boxes import Picture
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import State, Wish
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_screens import Screen, recognise
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_session import TORN
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_signs import boot_sign
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_steps import SCREENS, step
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_terminal import Terminal, decode
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_transcript import MASK, lines, masked, tail
from tests.unit.captured import HERE

FOLDER = HERE / "mok_console"
CAPTURES = sorted(FOLDER.glob("*.bin"))
BLANK = Picture(("",) * 80, ("",) * 80)


def raw(case):
    return (FOLDER / f"shim-16.1-{case}.bin").read_bytes()


def screens(data, piece=48):
    """The screens that a line showed one after the other, whole or not."""
    terminal, seen = Terminal(), list[Screen]()
    for at in range(0, len(data), piece):
        terminal.feed(data[at : at + piece])
        screen = recognise(terminal.picture())
        if screen.name not in ("unknown", *TORN) and (not seen or seen[-1].shows != screen.shows):
            seen.append(screen)
    return seen


def test_the_screens_of_an_enrolment_are_recognised_in_their_order():
    seen = screens(raw("enrol"))
    names = [screen.name for screen in seen]
    assert list(dict.fromkeys(names)) == ["countdown", "menu", "enrol_list", "confirm_enrol", "password"]
    assert seen[-1].entries == ("Reboot", "Enroll key from disk", "Enroll hash from disk")
    assert seen[0].seconds == 10


def test_the_selected_entry_is_seen():
    terminal, selected = Terminal(), []
    data = raw("enrol")
    for at in range(0, len(data), 16):
        terminal.feed(data[at : at + 16])
        screen = recognise(terminal.picture())
        if screen.name in ("menu", "confirm_enrol") and screen.selected in (0, 1):
            selected.append((screen.name, screen.entries[screen.selected]))
    assert list(dict.fromkeys(selected)) == [
        ("menu", "Continue boot"),
        ("menu", "Enroll MOK"),
        ("confirm_enrol", "No"),
        ("confirm_enrol", "Yes"),
        ("menu", "Reboot"),
    ]


def test_a_menu_in_pieces_is_known_as_such():
    terminal = Terminal()
    terminal.feed(raw("menu-in-pieces"))
    screen = recognise(terminal.picture())
    assert (screen.name, screen.said, screen.entries) == ("damaged", "menu", ())


def test_a_key_in_pieces_is_no_fingerprint():
    last = screens(raw("key-in-pieces"))[-1]
    assert last.name == "key" and last.key and last.key.subject == ""
    assert [screen.name for screen in screens(raw("key-in-pieces"))][:2] == ["countdown", "menu"]


def test_a_boot_is_seen_when_the_countdown_has_ended():
    data = raw("countdown-ended")
    assert screens(data)[-1].name == "countdown"
    after = decode(data[data.rfind(b"Booting in") :])
    assert (boot_sign(after) or ("",))[0] in ("grub", "linux", "login")


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_begins_with_a_restart(path):
    assert (boot_sign(decode(path.read_bytes()[:700])) or ("",))[0] == "restart"


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("[    0.000000] Linux version 6.12.94+deb13-amd64", "linux"),
        ("EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path", "linux"),
        ("  Booting `Debian GNU/Linux'", "grub"),
        ("GNU GRUB  version 2.12", "grub"),
        ("\nh-con login: ", "login"),
        ("[  240.2] reboot: Restarting system", "restart"),
        ("Booting in 10 seconds", None),
        ("Shim UEFI key management", None),
    ],
)
def test_signs_of_a_boot(text, sign):
    assert (boot_sign(text) or (None,))[0] == sign


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_it_does_not_matter_in_which_pieces_the_bytes_come(piece):
    data = raw("menu-in-pieces")
    whole, parts = Terminal(), Terminal()
    whole.feed(data)
    for at in range(0, len(data), piece):
        parts.feed(data[at : at + piece])
    assert parts.picture() == whole.picture()


NOISE = st.binary(max_size=400) | st.lists(
    st.sampled_from(
        [
            b"\x1b[2J",
            b"\x1b[01;01H",
            b"\x1b[23;35H",
            b"\x1b[23;35;01H",
            b"\x1b[4",
            b";;1m",
            b"\xda\xc4\xc4\xc4\xbf",
            b"\xb3",
            b"Password:",
            b"No",
            b"Yes",
        ]
    )
    | st.binary(max_size=9),
    max_size=60,
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(NOISE, st.sampled_from(["enrol", "delete"]))
def test_noise_neither_breaks_the_recogniser_nor_presses_a_key(data, request):
    terminal = Terminal()
    terminal.feed(data)
    screen = recognise(terminal.picture())
    move = step(Wish(request), State(), screen)
    assert screen.name in {*SCREENS, "damaged"} or move.keys == ()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 20000), st.integers(0, 60))
def test_lost_and_foreign_bytes_never_make_a_screen_that_is_not_there(noise, at, lost):
    """From a line where only a menu was drawn, nothing but that menu can come."""
    data = raw("menu-in-pieces")
    terminal = Terminal()
    terminal.feed(data[:at] + noise + data[at + lost :])
    screen = recognise(terminal.picture())
    assert screen.name in ("unknown", "damaged", "menu", "countdown")
    assert screen.name != "menu" or screen.entries[0] == "Continue boot"


def test_a_torn_sequence_is_left_out_and_what_follows_is_drawn():
    terminal = Terminal()
    terminal.feed(b"\x1b[23;35;01Hlost\x1b[01;01Hseen")
    assert terminal.picture().rows[0] == "seen"


def test_nothing_on_the_screen_is_no_screen():
    assert recognise(BLANK).name == "unknown"


@given(st.text(max_size=200))
def test_a_secret_never_stays_in_a_transcript(text):
    secret = "Canary4711"
    kept = "\n".join(tail(f"{text}{secret}{text}\x1b[2J{secret[:4]}\x1b[1m{secret[4:]}", [secret], 500))
    assert secret not in kept and not re.search(r"[\W_]*?".join(secret), kept)


def test_a_transcript_is_lines_for_people():
    assert "Perform MOK management" in lines(decode(raw("enrol")))
    assert masked("password=hunter22!", ["hunter22!"]) == f"password={MASK}"
