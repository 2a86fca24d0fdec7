"""What can be meant, which Python and installer are taken, and what a failure of theirs is told as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_commands as commands
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_failure as failure
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_observe as observation
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment_python import find
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment_wanted import wanted
from tests.unit.vllm_hosts import EnvironmentHost, params


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "Which release?"),
        ({"version": "0.20"}, None),
        ({"version": "0.6.4.post1"}, None),
        ({"version": "0.32.0+cpu"}, None),
        ({"version": ">=0.20"}, "one exact release"),
        ({"version": "latest"}, "one exact release"),
        ({"version": "1.0", "prefix": "/opt"}, "for environments alone"),
        ({"version": "1.0", "prefix": "opt/vllm"}, "for environments alone"),
        ({"version": "1.0", "prefix": "/opt/vllm/../.."}, "for environments alone"),
        ({"version": "1.0", "wheelhouse": "wheels"}, "wheelhouse is wheels"),
        ({"version": "1.0", "timeout": 0}, "timeout is 0"),
        ({"version": "1.0", "keep": -1}, "keep is -1"),
        ({"version": "1.0", "package": "--index-url=x"}, "no name of a package"),
        ({"version": "1.0", "extra_packages": ["--pre"]}, "give requirements"),
        ({"version": "1.0", "absent_packages": ["-y"]}, "no name of a package"),
        ({"version": "1.0", "constraints": ["-r /etc/shadow"]}, "no options"),
        ({"version": "1.0", "constraints": ["a\nb"]}, "one constraint an element"),
        ({"version": "1.0", "provides": {"vllm": "newest"}}, "provides gives vllm"),
        ({"version": "1.0", "imports": ["vllm; import os"]}, "no name of a Python module"),
        ({"existing": "/a/b", "state": "absent"}, "only read"),
        ({"use": "/opt/vllm/x", "state": "absent"}, "one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_a_sentence(given, told):
    if told is None:
        assert wanted(params(**given)).version == given["version"]
    else:
        with pytest.raises(NvidiaError) as refused:
            wanted(params(**given))
        assert told in str(refused.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(NvidiaError) as refused:
        wanted(params(version="x", timeout=0, keep=-1, prefix="/"))
    assert all(word in str(refused.value) for word in ("version is x", "timeout is 0", "keep is -1", "prefix is /"))


@pytest.mark.parametrize(
    ("asked", "pythons", "found"),
    [
        (None, {"python3": (11, True)}, "/usr/bin/python3.11"),
        ("3.12", {"python3": (11, True), "python3.12": (12, True)}, "/usr/bin/python3.12"),
        ("3.11", {"python3": (11, True)}, "/usr/bin/python3.11"),
        (
            "3.10-3.13",
            {"python3": (9, True), "python3.10": (10, True), "python3.13": (13, True)},
            "/usr/bin/python3.13",
        ),
        ("3.10-3.13", {"python3.10": (10, True), "python3.13": (13, False)}, "/usr/bin/python3.10"),
        ("3.10-3.13", {"python3": (14, True)}, "no Python 3.10-3.13"),
        ("3.10-3.13", {"python3": (9, True)}, "no Python 3.10-3.13"),
        (None, {}, "no Python named python3"),
        ("python3.12", {"python3.12": (12, False)}, "python3.12-venv"),
    ],
)
def test_the_python_is_the_newest_that_fits_and_works(asked, pythons, found):
    host = EnvironmentHost(pythons=pythons)
    if found.startswith("/"):
        assert find(host, asked, with_venv=True) == found
    else:
        with pytest.raises(NvidiaError, match=found):
            find(host, asked, with_venv=True)


def test_uv_needs_no_module_venv_and_a_broken_shim_is_no_python():
    assert find(EnvironmentHost(pythons={"python3": (11, False)}), None, with_venv=False) == "/usr/bin/python3.11"
    host = EnvironmentHost(fails={"python3": Result(127, "", "pyenv: python3: command not found")})
    with pytest.raises(NvidiaError, match="no Python named python3"):
        find(host, None, with_venv=True)


@pytest.mark.parametrize(
    ("uv", "files", "given", "expected"),
    [
        (False, (), {}, "pip"),
        (True, (), {}, "uv"),
        (True, ("/etc/pip.conf",), {}, "pip"),
        (True, ("/etc/pip.conf", "/etc/uv/uv.toml"), {}, "uv"),
        (True, ("/etc/pip.conf",), {"index_url": "https://a/simple"}, "uv"),
        (True, ("/etc/pip.conf",), {"wheelhouse": "/srv/wheels"}, "uv"),
        (True, (), {"installer": "pip"}, "pip"),
        (True, ("/etc/pip.conf",), {"installer": "uv"}, "uv"),
    ],
)
def test_uv_is_taken_where_it_is_unless_pip_alone_knows_the_index(uv, files, given, expected):
    assert commands.chosen(EnvironmentHost(dict.fromkeys(files, ""), uv=uv), params(**given)) == expected


def test_uv_that_is_asked_for_and_not_there_is_told():
    with pytest.raises(NvidiaError, match="uv is not on this host"):
        commands.chosen(EnvironmentHost(), params(installer="uv"))


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_offline_names_no_index(installer):
    wish = params(version="1.0", wheelhouse="/srv/wheels", offline=True)
    argv = commands.install(installer, "/opt/vllm/env-1.0", wanted(wish), wish, None, "/log")
    assert "--no-index" in argv and argv[argv.index("--find-links") + 1] == "/srv/wheels" and argv[-1] == "vllm==1.0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "an index of their own"),
        ("ERROR: Package 'vllm' requires a different Python: 3.9.2 not in '>=3.10'", "does not run on this Python"),
        ("error: No solution found when resolving dependencies", "Check the release"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not what was promised"),
        ("ERROR: ResolutionImpossible: for help visit", "look at constraints"),
        ("SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "not trusted"),
        ("NewConnectionError: Failed to establish a new connection: [Errno 101] Network is unreachable", "wheelhouse"),
        ("something that nobody knows", ""),
    ],
)
def test_causes_get_advice(text, told):
    assert told in failure.hint(text) and bool(failure.hint(text)) == bool(told)
    assert "Log: /log." in failure.sentence("Installing", 1, text, "/log")


def test_a_long_list_of_releases_is_cut():
    line = "ERROR: no such (from versions: 0.1, 0.2, 0.3, 0.4, 0.5)"
    assert failure.short(line) == "ERROR: no such (from versions: …, 0.3, 0.4, 0.5)"
    assert failure.short("ERROR: no such (from versions: none)").endswith("(from versions: none)")


def test_uv_tells_its_reason_below_its_error():
    text = "Using Python 3.11.7\nerror: No solution found\n  cause: Because there is no version of six==9.9.9\n"
    assert failure.decisive(text) == ["error: No solution found", "cause: Because there is no version of six==9.9.9"]


@given(st.text(max_size=300))
def test_no_text_breaks_the_sentence(text):
    told = failure.sentence("Installing", 1, text, "/log")
    assert told.startswith("Installing failed.") and told.endswith("Log: /log.")


@given(st.text("abc:/@ -.", max_size=60), st.from_regex(r"[a-z0-9]{8,12}", fullmatch=True))
def test_no_password_survives(text, password):
    assert password not in failure.redacted(f"{text} https://user:{password}@host/simple {text}")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("vllm-0.20.2.dist-info", {"vllm": "0.20.2"}),
        ("torch-2.13.0+cpu.dist-info", {"torch": "2.13.0+cpu"}),
        ("Nvidia_CUDA_Runtime-13.0.dist-info", {"nvidia-cuda-runtime": "13.0"}),
        ("old-1.0-py3.11.egg-info", {"old": "1.0"}),
        ("vllm", {}),
        ("~orch-2.0.dist-info.bak", {}),
    ],
)
def test_packages_are_known_by_their_metadata(name, found):
    host = EnvironmentHost({f"/e/lib/python3.11/site-packages/{name}/METADATA": ""})
    assert observation.packages(host, "/e") == found


@given(st.text(max_size=200))
def test_a_record_that_is_none_is_passed_over(text):
    host = EnvironmentHost({"/opt/vllm/env-1.json": text})
    assert observation.observe(host, "/opt/vllm").environments == {}
