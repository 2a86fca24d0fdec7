"""The key of a package repository: only the one that was named, told by its own packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _repository_key
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.repository_key import ARGUMENT_SPEC
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

KEY = fixture("openpgp/gnupg-2-rsa-stand-in.asc")
FINGERPRINT = "EC64E84F76165EAB164ECBF6BDF152DA781BDC84"  # as gpg --show-keys prints it
OTHER = "02182E60104FCDC26EAE1B8597A5D4CB8793F200"
PATH = "/etc/apt/keyrings/stand-in.asc"
DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}


def options(**changes):
    return {
        **DEFAULTS,
        "path": PATH,
        "url": "https://packages.example.org/key.asc",
        "fingerprint": FINGERPRINT,
        **changes,
    }


def ensure(system, apply=True, text=KEY, **changes):
    asked = []

    def fetch(url):
        asked.append(url)
        return text

    return _repository_key.ensure(options(**changes), system, fetch, apply=apply), asked


def test_the_fingerprint_is_gnupg_s():
    assert _repository_key.fingerprints(KEY) == [FINGERPRINT]


def test_two_blocks_are_two_keys():
    assert _repository_key.fingerprints(f"some words\n{KEY}\n{KEY}") == [FINGERPRINT] * 2


def test_a_new_key_is_fetched_and_written():
    system = FakeSystem({})
    predicted, asked = ensure(system, apply=False)
    assert (predicted["changed"], asked, system.read(PATH)) == (True, [], None)
    done, asked = ensure(system)
    assert (done, asked, system.read(PATH)) == (predicted, ["https://packages.example.org/key.asc"], KEY)


def test_a_second_run_is_idle_and_fetches_nothing():
    system = FakeSystem({PATH: KEY})
    result, asked = ensure(system)
    assert (result["changed"], result["steps"], asked) == (False, [], [])


def test_a_key_may_be_given_as_text_and_with_blanks_in_its_fingerprint():
    system = FakeSystem({})
    spaced = " ".join(FINGERPRINT[place : place + 4].lower() for place in range(0, 40, 4))
    _result, asked = ensure(system, url=None, content=KEY, fingerprint=spaced)
    assert (asked, system.read(PATH)) == ([], KEY)


@pytest.mark.parametrize("text", ["", "<html>not found</html>", KEY + KEY, KEY.replace("mQGN", "mQGM", 1)])
def test_another_key_is_never_written(text):
    system = FakeSystem({PATH: "what was there"})
    with pytest.raises(NvidiaError, match="Nothing was changed"):
        ensure(system, text=text)
    assert system.read(PATH) == "what was there"


def test_a_wrong_file_is_replaced_by_the_right_key():
    system = FakeSystem({PATH: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"})
    assert ensure(system)[0]["diff"] == {
        "before": {"path": PATH, "keys": [], "mode": "0644", "owner": "0:0"},
        "after": {"path": PATH, "keys": [FINGERPRINT], "mode": "0644", "owner": "0:0"},
    }
    assert system.read(PATH) == KEY


@pytest.mark.parametrize(("mode", "owner"), [(0o666, (0, 0)), (0o644, (0, 65534)), (0o644, (65534, 0))])
def test_a_key_that_others_have_taken_is_taken_back_without_fetching_it(mode, owner):
    system = FakeSystem({PATH: KEY})
    system.modes, system.owners = {PATH: mode}, {PATH: owner}
    predicted, _asked = ensure(system, apply=False)
    assert (predicted["steps"], system.wrote) == ([f"Set owner and mode of {PATH}"], {})
    assert predicted["diff"]["before"] != predicted["diff"]["after"]
    assert ensure(system) == (predicted, [])
    assert (system.wrote, system.stat(PATH)) == ({PATH: KEY}, (0o644, 0, 0))
    assert not ensure(system)[0]["changed"]


def test_the_right_key_under_the_wrong_name_is_told_with_both_fingerprints():
    with pytest.raises(NvidiaError) as caught:
        ensure(FakeSystem({}), fingerprint=OTHER)
    assert FINGERPRINT in str(caught.value) and OTHER in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"fingerprint": "8793F200"}, {"fingerprint": None}, {"content": KEY}, {"url": None}]
)
def test_what_is_not_said_well_is_refused(changes):
    with pytest.raises(NvidiaError):
        ensure(FakeSystem({}), **changes)


def test_the_key_goes_when_it_shall():
    system = FakeSystem({PATH: KEY})
    assert ensure(system, state="absent")[0]["changed"] and system.read(PATH) is None
    assert not ensure(system, state="absent")[0]["changed"]


@given(st.binary(max_size=200), st.text(max_size=200))
def test_no_data_break_the_parser(data, text):
    for _tag, body in _repository_key.packets(data):
        assert body in data
    _repository_key.fingerprints(text)
    _repository_key.fingerprints(KEY.replace("\n\n", f"\n\n{text}", 1))
