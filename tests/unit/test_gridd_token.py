"""A token: told from everything that is none, put in place byte by byte, and never given away."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_observe, _gridd_token, _gridd_token_place
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.gridd_token import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem
from tests.unit.gridd_tokens import INSTANCE, NOW, OTHER_INSTANCE, claims, issue, of_instance, sign

FOLDER = "/etc/nvidia/ClientConfigToken"
DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
SHARE = "/mnt/shared/client_configuration_token_04-22-2026-15-14-46.tok"
NAME = SHARE.rpartition("/")[2]
GOOD = issue()
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>CANARY-page</body></html>"


def never(url, ca_path, timeout):
    raise AssertionError(f"{url} was fetched")


class Host(FakeSystem):
    """A host with a token folder and a share; chmod does what it says."""

    def __init__(self, files=None, **more):
        super().__init__(files, **more)
        self.commands.update({("chmod",): self.change, ("getent",): "nvidia:x:990:990::/:/bin/sh\n"})

    def change(self, argv):
        self.modes[argv[2]] = int(argv[1], 8)
        return ""


def run(system, apply=True, now=NOW, fetch=never, **options):
    options = options if options.keys() & {"content", "url", "state"} else {"src": SHARE, "remote_src": True, **options}
    return _gridd_token_place.ensure({**DEFAULTS, **options}, system, fetch, now, apply=apply)


def held(system):
    return {path: system.read_bytes(path) for path in system.files if path.startswith(FOLDER)}


def test_a_sound_token_is_read_without_its_secrets():
    read = _gridd_token.read(GOOD)
    assert (read.reason, read.trailing) == (None, 0)
    assert _gridd_token.described(read.claims) == {
        "jti": "0f0e0d0c-0000-4000-8000-00000000000a",
        "iss": "NLS Service Instance",
        "aud": "NLS Licensed Client",
        "issued": "2026-02-02T01:40:00Z",
        "not_before": "2026-02-02T01:40:00Z",
        "expires": "2027-02-02T02:40:00Z",
        "service_instance": INSTANCE,
        "nodes": ["https://dls.example.com:8443"],
    }


BAD = {
    "empty": (b"\n", "is empty"),
    "html": (HTML, "web page"),
    "cut in the signature": (GOOD[:-20], "cut off"),
    "cut in the claims": (GOOD[:400], "cut off"),
    "cut in the header": (GOOD[:9], "cut off"),
    "cut at its begin": (GOOD[15:], "is no token"),
    "without a signature": (GOOD.rpartition(b".")[0], "cut off"),
    "words": (b"ClientConfigToken: see the portal", "is no token"),
    "another document": (b'{"token": 1}', "is no token"),
    "binary": (bytes(range(256)), "is no token"),
    "large": (GOOD + b"A" * 65536, "more than 65536 bytes"),
    "another algorithm": (sign(claims(), {"alg": "none"}), "not with RS256"),
    "another audience": (issue(aud="NLS Service Instance"), "for somebody else"),
    "another issuer": (issue(iss="https://accounts.example.com"), "for somebody else"),
    "no node": (issue(service_instance_configuration={"node_url_list": []}), "names no licence service"),
    "no times": (issue(exp="soon"), "no times"),
    "a time that is none": (issue(nbf=1e300), "no times"),
    "claims that are no object": (sign([1]), "cut off"),
    "a line end after it": (GOOD + b"\n", "1 more bytes after its end"),
    "expired": (issue(exp=NOW), "has expired on 2026-02-02T02:40:00Z"),
    "not valid yet": (issue(nbf=NOW + 7200), "the clock of this host says 2026-02-02T02:40:00Z"),
    "made in the future": (issue(iat=NOW + 7200), "valid from 2026-02-02T04:40:00Z"),
    "another instance": (sign(of_instance(OTHER_INSTANCE)), f"set service_instance: {OTHER_INSTANCE}"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("apply", [True, False])
def test_what_is_no_sound_token_is_refused_and_the_working_one_stays(case, apply):
    data, part = BAD[case]
    system = Host({SHARE: data, f"{FOLDER}/old.tok": GOOD})
    before = held(system)
    with pytest.raises(NvidiaError) as failure:
        run(system, apply=apply)
    assert part in str(failure.value) and "Nothing was changed." in str(failure.value)
    assert (held(system), system.wrote, system.removed) == (before, {}, [])
    assert "CANARY" not in str(failure.value) and not any(piece in str(failure.value) for piece in secrets(data))


def secrets(data):
    """The pieces of a token that would help somebody to take licences."""
    return [part.decode() for part in data.strip().split(b".") if len(part) > 40 and part.isascii()]


def test_no_beginning_of_a_token_is_a_token():
    assert [length for length in range(len(GOOD)) if not _gridd_token.read(GOOD[:length]).reason] == []


def test_a_longer_signature_cut_within_a_byte_is_told_by_its_last_letter():
    head, claimed, _signature = GOOD.split(b".")
    long = base64.urlsafe_b64encode(b"\xff" * 512).rstrip(b"=")
    for length in (len(long), 4 * 256 // 3 + 1):  # the second is 256 bytes and four bits
        reason = _gridd_token.read(b".".join([head, claimed, long[:length]])).reason
        assert (reason is None) == (length == len(long)), length


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"ey" + base64.urlsafe_b64encode(data) + b".e30.e30")))
def test_no_bytes_break_the_reader(data):
    read = _gridd_token.read(data)
    json.dumps(_gridd_token.described(read.claims))
    assert read.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["idx", "url", "port", "service"]), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(claims())), JSON, max_size=3))
def test_no_claims_break_the_reader(changes):
    read = _gridd_token.read(issue(**changes))
    json.dumps(_gridd_token.described(read.claims))
    _gridd_token.refusal(read, NOW)


def test_a_token_is_put_in_place_byte_by_byte():
    system = Host({SHARE: GOOD})
    predicted = run(system, apply=False)
    assert (predicted["changed"], held(system)) == (True, {})
    assert run(system) == predicted
    assert held(system) == {f"{FOLDER}/{NAME}": GOOD}
    assert system.modes[f"{FOLDER}/{NAME}"] == 0o744
    second = run(system)
    assert (second["changed"], second["restart_required"], second["removed"]) == (False, False, [])
    assert second["claims"] == predicted["claims"]


def test_one_token_is_left():
    system = Host(
        {
            SHARE: GOOD,
            f"{FOLDER}/a.tok": issue(jti="a"),
            f"{FOLDER}/client_configuration_token_1": b"x",
            f"{FOLDER}/readme": b"x",
        }
    )
    result = run(system)
    assert sorted(held(system)) == [f"{FOLDER}/{NAME}", f"{FOLDER}/readme"]
    assert (
        result["removed"] == [f"{FOLDER}/a.tok", f"{FOLDER}/client_configuration_token_1"]
        and result["restart_required"]
    )
    system = Host({SHARE: GOOD, f"{FOLDER}/a.tok": issue(jti="a")})
    assert run(system, exclusive=False)["removed"] == [] and len(held(system)) == 2


def test_the_same_bytes_keep_their_name_unless_another_is_asked_for():
    system = Host({SHARE: GOOD, f"{FOLDER}/mine.tok": GOOD})
    system.modes[f"{FOLDER}/mine.tok"] = 0o744
    assert run(system)["changed"] is False
    result = run(system, name="other.tok")
    assert (result["path"], sorted(held(system))) == (f"{FOLDER}/other.tok", [f"{FOLDER}/other.tok"])


def test_a_mode_alone_needs_no_restart():
    system = Host({SHARE: GOOD, f"{FOLDER}/{NAME}": GOOD})
    result = run(system)
    assert (result["changed"], result["restart_required"], system.wrote) == (True, False, {})
    assert system.modes[f"{FOLDER}/{NAME}"] == 0o744
    assert run(system)["changed"] is False


def test_a_folder_that_others_can_write_is_root_s_alone_again():
    system = Host({SHARE: GOOD, f"{FOLDER}/{NAME}": GOOD})
    system.modes = {f"{FOLDER}/{NAME}": 0o744, FOLDER: 0o777}
    system.owners = {FOLDER: (65534, 0)}
    predicted = run(system, apply=False)
    assert (predicted["steps"], system.ran) == ([f"Let root alone write {FOLDER}"], [])
    assert run(system) == predicted and not predicted["restart_required"]
    assert (system.modes[FOLDER], system.owners[FOLDER]) == (0o755, (0, 0))
    system.modes[FOLDER] = 0o700
    assert run(system)["changed"] is False


@pytest.mark.parametrize(
    ("path", "step"),
    [(FOLDER, f"Let root alone write {FOLDER}"), (f"{FOLDER}/{NAME}", f"Set owner and mode of {FOLDER}/{NAME}")],
)
def test_a_group_alone_is_given_back_and_needs_no_restart(path, step):
    system = Host({SHARE: GOOD, f"{FOLDER}/{NAME}": GOOD})
    system.modes = {f"{FOLDER}/{NAME}": 0o744, FOLDER: 0o755}
    system.owners = {path: (0, 65534)}
    predicted = run(system, apply=False)
    assert predicted["steps"] == [step] and not predicted["restart_required"]
    assert run(system) == predicted
    assert (system.wrote, system.stat(path)[1:]) == ({}, (0, 0))
    assert not run(system)["changed"]


def test_another_owner_is_set():
    system = Host({SHARE: GOOD})
    assert run(system, owner="nvidia")["changed"]
    assert system.owners[f"{FOLDER}/{NAME}"] == (990, 0)
    assert run(system, owner="990")["changed"] is False


def test_a_link_to_a_token_becomes_the_token():
    system = Host({SHARE: GOOD}, links={f"{FOLDER}/{NAME}": SHARE})
    assert run(system, apply=False)["steps"] == [f"Put the token into {FOLDER}/{NAME}"]


def test_content_may_have_blanks_around_it():
    system = Host()
    result = run(system, content=f"\n  {GOOD.decode()}\n")
    assert list(held(system).values()) == [GOOD]
    assert result["path"].startswith(f"{FOLDER}/client_configuration_token_")


def test_a_move_to_another_instance_has_to_be_named():
    data = sign(of_instance(OTHER_INSTANCE))
    system = Host({SHARE: data, f"{FOLDER}/{NAME}": GOOD})
    assert run(system, service_instance=OTHER_INSTANCE)["changed"]
    assert held(system) == {f"{FOLDER}/{NAME}": data}
    with pytest.raises(NvidiaError, match=f"is for the service instance {OTHER_INSTANCE}, not for {INSTANCE}"):
        run(system, service_instance=INSTANCE)


def test_a_host_without_a_working_token_takes_any_instance():
    system = Host({SHARE: sign(of_instance(OTHER_INSTANCE)), f"{FOLDER}/a.tok": issue(exp=NOW - 1)})
    assert run(system)["removed"] == [f"{FOLDER}/a.tok"]


def test_an_address_is_fetched_once_and_again_when_its_token_ends():
    asked = []

    def fetch(url, ca_path, timeout):
        asked.append((url, ca_path, timeout))
        return issue(jti=f"number {len(asked)}", exp=NOW + 1000 * len(asked))

    options = {"url": "https://user:word@files.example.com/token?key=hidden", "ca_path": "/ca.pem", "fetch": fetch}
    system = Host()
    checked = run(system, apply=False, **options)
    assert (checked["changed"], checked["claims"], asked) == (True, None, [])
    done = run(system, **options)
    assert asked == [(options["url"], "/ca.pem", 60)] and done["path"] == checked["path"]
    assert run(system, **options)["changed"] is False and len(asked) == 1
    assert run(system, refresh="always", **options)["claims"]["jti"] == "number 2"
    assert run(system, now=NOW + 2500, **options)["claims"]["jti"] == "number 3"
    assert len(held(system)) == 1
    assert run(system, **{**options, "url": "https://files.example.com/other"})["path"] != done["path"]
    assert "hidden" not in json.dumps([checked, done]) and "word" not in json.dumps([checked, done])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"content": "x", "url": "https://a"}, "exactly one"),
        ({"state": "present"}, "exactly one"),
        ({"url": "http://user:hidden@files.example.com/t.tok?hidden"}, "files.example.com/t.tok is no https"),
        ({"src": "/none.tok", "remote_src": True}, "There is no file /none.tok"),
        ({"src": SHARE, "remote_src": False}, "set remote_src"),
        ({"transferred": "!"}, "not by playbooks"),
        ({"folder": "tokens"}, "absolute path"),
        ({"name": "../a.tok"}, "no name for a token"),
        ({"name": "gridd.conf"}, "no name for a token"),
        ({"mode": "rwx"}, "octal"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, part):
    system = Host({SHARE: GOOD})
    with pytest.raises(NvidiaError, match=part) as failure:
        run(system, **options)
    assert system.wrote == {} and "hidden" not in str(failure.value)


def test_an_unknown_owner_is_refused():
    system = Host({SHARE: GOOD})
    system.commands[("getent",)] = ""
    with pytest.raises(NvidiaError, match="no user 'nobody-here'"):
        run(system, owner="nobody-here")


def test_the_controller_s_file_comes_as_bytes():
    system = Host()
    run(system, remote_src=False, transferred=base64.b64encode(GOOD).decode())
    assert held(system) == {f"{FOLDER}/{NAME}": GOOD}


def test_absent_removes_all_or_the_named_one():
    files = {f"{FOLDER}/a.tok": GOOD, f"{FOLDER}/b.tok": GOOD, f"{FOLDER}/keep": b""}
    assert run(Host(files), state="absent", name="b.tok")["removed"] == [f"{FOLDER}/b.tok"]
    system = Host(files)
    assert run(system, state="absent")["removed"] == [f"{FOLDER}/a.tok", f"{FOLDER}/b.tok"]
    assert list(held(system)) == [f"{FOLDER}/keep"] and run(system, state="absent")["changed"] is False


def test_no_result_and_no_fact_has_anything_of_a_token():
    data, old = issue(scope_ref_list=["CANARY-scope"]), issue(jti="old")
    system = Host({SHARE: data, f"{FOLDER}/old.tok": old})
    told = [run(system, apply=False), run(system), run(system, state="absent")]
    system.files[f"{FOLDER}/{NAME}"] = data
    told.append(_gridd_observe.tokens(system, FOLDER, NOW))
    text = json.dumps(told)
    assert "CANARY" not in text and not any(piece in text for piece in [*secrets(data), *secrets(old)])
    assert not any(piece in json.dumps(system.ran) for piece in secrets(data))
