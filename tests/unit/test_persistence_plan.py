"""What keeps GPUs initialised: a table over the shapes of units, and what a second run finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_unit as unit_files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_plan import persistence_plan
from tests.unit.persistence_hosts import (
    COMMANDS,
    DROP_IN,
    LINK,
    PACKAGED,
    UNIT,
    carried_out,
    container,
    guests_only,
    host,
    no_driver,
    no_gpu,
    runfile,
    unit_of,
)

CONDITION = unit_files.drop_in_text(None)
WITH_FLAG = COMMANDS["ubuntu"].replace("--no-persistence-mode", "--persistence-mode")


def plan(facts, packaged="debian", **wants):
    return persistence_plan(facts, wants, PACKAGED.get(packaged))


def names(steps):
    return [step.split()[0] for step in steps]


# host, what the platform's package brings, first words of the steps
SHAPES = {
    "Debian's unit": (host("debian"), "debian", ["Give"]),
    "Debian's unit, stopped": (host("debian", active=False), "debian", ["Give", "Start"]),
    "Debian's unit, disabled": (host("debian", unit_file_state="disabled"), "debian", ["Give", "Enable"]),
    "Debian's unit, our drop-in": (host("debian", drop_in=CONDITION), "debian", []),
    "Debian's unit, a stale drop-in": (host("debian", drop_in=CONDITION + "# mine\n"), "debian", ["Give"]),
    "Debian's unit, failed": (
        host("debian", drop_in=CONDITION, active=False, failed=True),
        "debian",
        ["Have", "Start"],
    ),
    "Ubuntu's unit": (host("ubuntu"), "ubuntu", ["Give", "Start", "Have", "Restart"]),
    "Ubuntu's unit, stopped": (host("ubuntu", active=False), "ubuntu", ["Give", "Start", "Have", "Start"]),
    "Ubuntu's unit, our drop-in without the link": (
        host("ubuntu", drop_in=unit_files.drop_in_text(WITH_FLAG), exec_start=WITH_FLAG, on=True),
        "ubuntu",
        ["Start"],
    ),
    "the rpm's unit": (host("rpm"), "rpm", ["Give"]),
    "Arch's unit": (host("rpm", unit_file_state="disabled", active=False), "arch", ["Give", "Enable", "Start"]),
    "masked": (host("masked", daemon=True), "debian", ["Unmask", "Give", "Start"]),
    "masked before it was installed": (host("masked"), "debian", ["Unmask", "Install", "Give", "Start"]),
    "no daemon yet": (host(None), "debian", ["Install", "Give", "Start"]),
    "no daemon yet, Ubuntu": (host(None), "ubuntu", ["Install", "Give", "Start", "Start"]),
    "a runfile, which brings no unit": (runfile(), "debian", ["Write", "Enable", "Have", "Start"]),
    "no package known": (host(None), None, ["Turn"]),
    "no systemd": (host(None, service_manager=None), "debian", ["Turn"]),
    "no GPU": (no_gpu(), "debian", []),
    "all GPUs for guests": (guests_only(), "debian", []),
    "a container": (container(), "debian", []),
    "no driver yet": (no_driver(), "debian", ["Install", "Give", "Start"]),
}


@pytest.mark.parametrize(("facts", "packaged", "steps"), SHAPES.values(), ids=SHAPES)
def test_the_steps_of_every_shape(facts, packaged, steps):
    assert names(plan(facts, packaged)["steps"]) == steps


@pytest.mark.parametrize(("facts", "packaged", "_steps"), SHAPES.values(), ids=SHAPES)
def test_a_host_that_the_role_never_touched_is_left_alone_when_disabled(facts, packaged, _steps):
    ours = unit_of(facts) and DROP_IN in unit_of(facts)["texts"]
    found = plan(facts, packaged, state="disabled")
    assert bool(found["steps"]) == bool(ours)


def test_debian_s_command_line_is_not_touched():
    (file,) = plan(host("debian"))["files"]
    assert file["path"] == DROP_IN
    assert "ExecStart" not in file["content"]
    assert "ConditionDirectoryNotEmpty=/proc/driver/nvidia/gpus" in file["content"]


def test_ubuntu_s_command_line_keeps_its_user_and_its_other_flags():
    found = plan(host("ubuntu"), "ubuntu")
    (file,) = found["files"]
    assert f"\nExecStart=\nExecStart={WITH_FLAG}\n" in file["content"]
    assert "StopWhenUnneeded=false" in file["content"]
    assert found["link"] == {"path": LINK, "target": unit_of(host("ubuntu"))["path"]}
    assert found["user"] == "nvidia-persistenced"
    assert not found["enable"]


def test_the_module_is_loaded_before_the_condition_is_looked_at():
    for text in (CONDITION, unit_files.own_unit_text(WITH_FLAG)):
        assert "After=modprobe@nvidia.service" in text and "Wants=modprobe@nvidia.service" in text


def test_nothing_starts_before_the_driver_is_loaded():
    found = plan(host("ubuntu", loaded=False, active=False), "ubuntu")
    assert names(found["steps"]) == ["Give", "Start", "Have"]  # the link starts it at boot
    assert not found["start"] and not found["stop"]
    assert found["deviations"]  # the drop-in is still to be written


def test_before_the_first_driver_the_plan_is_a_prediction():
    found = plan(no_driver())
    assert found["pending"] and found["deviations"] == []
    assert found["packages"] == ["nvidia-persistenced"]
    assert [row["code"] for row in found["findings"]] == ["persistence_pending"]


@pytest.mark.parametrize(
    ("facts", "word"), [(no_gpu(), "PCI bus"), (guests_only(), "vfio-pci"), (container(), "container")]
)
def test_a_place_without_gpus_is_left_with_the_reason(facts, word):
    found = plan(facts)
    assert word in found["skipped"] and word in found["findings"][0]["text"]
    assert found["findings"][0]["severity"] == "note"
    assert found["deviations"] == []


def test_a_container_whose_nvml_answers_and_has_systemd_is_a_host():
    facts = {**host("debian"), "place": "container"}
    assert plan(facts)["skipped"] is None


def test_the_package_of_ubuntu_is_of_the_series_that_is_installed():
    facts = host(None)
    facts["driver"]["install"]["packages"] = [{"name": "libnvidia-compute-580-server", "held": True}]
    found = plan(facts, "ubuntu")
    assert found["packages"] == ["nvidia-compute-utils-580-server"]
    assert found["hold"]


def test_a_failed_daemon_may_lack_its_user():
    found = plan(host("debian", drop_in=CONDITION, active=False, failed=True))
    assert found["user"] == "nvpd"


def test_gpus_that_are_off_under_a_running_daemon_restart_it():
    found = plan(host("debian", drop_in=CONDITION, on=False))
    assert found["stop"] and found["start"] and found["settling"]
    assert "GPU 0 and 1" in found["steps"][0]
    assert "NVML" in found["deviations"][0]


def test_the_user_that_is_wanted_replaces_the_packaged_one_and_is_created():
    found = plan(host("debian"), user="gpu")
    assert "ExecStart=/usr/bin/nvidia-persistenced --user gpu\n" in found["files"][0]["content"]
    assert found["user"] == "gpu" and found["stop"]


def test_root_is_not_created():
    assert plan(host("debian"), user="root")["user"] is None


def test_uvm_persistence_is_refused_where_the_daemon_has_none():
    found = plan(host("debian", version="535.261.03"), uvm_enabled=True)
    assert [row["severity"] for row in found["findings"]] == ["error"]
    found = plan(host("debian", version="580.95.05"), uvm_enabled=True)
    assert found["findings"] == [] and "--uvm-persistence-mode" in found["files"][0]["content"]


def test_an_owner_s_own_drop_in_counts_as_packaged():
    other = f"/etc/systemd/system/{UNIT}.d/override.conf"
    facts = host("ubuntu", exec_start="/usr/bin/nvidia-persistenced --user me")
    unit_of(facts)["drop_ins"] = [other]
    unit_of(facts)["texts"][other] = "[Service]\nExecStart=\nExecStart=/usr/bin/nvidia-persistenced --user me\n"
    (file,) = plan(facts, "ubuntu")["files"]
    assert "ExecStart" not in file["content"]
    assert file["path"].rpartition("/")[2] > "override.conf"  # the last drop-in's word counts


def test_the_legacy_mode_is_refused_or_warned_of():
    refused = plan(host(None, service_manager=None), legacy_ok=False)
    assert [row["severity"] for row in refused["findings"]] == ["error"] and refused["legacy"] is None
    warned = plan(host(None, service_manager=None))
    assert [row["severity"] for row in warned["findings"]] == ["warning"] and warned["legacy"] == "enabled"
    assert warned["held_by"] == "legacy"
    assert plan(host(None, service_manager=None, on=True))["steps"] == []


def test_the_legacy_mode_is_turned_off_again():
    found = plan(host(None, service_manager=None, on=True), state="disabled")
    assert found["legacy"] == "disabled"


def test_nvml_that_does_not_answer_is_a_deviation():
    facts = host("debian", drop_in=CONDITION)
    facts["nvml"], facts["gpus"] = {"available": False, "reason": "nvidia-ml-py is not installed"}, []
    (sentence,) = plan(facts)["deviations"]
    assert "nvidia-ml-py is not installed" in sentence


def test_the_way_back_restarts_only_for_another_command_line():
    debian = plan(host("debian", drop_in=CONDITION), state="disabled")
    assert debian["files"] == [{"path": DROP_IN, "state": "absent"}] and not debian["stop"]
    facts = host(
        "ubuntu",
        drop_in=unit_files.drop_in_text(WITH_FLAG),
        exec_start=WITH_FLAG,
        on=True,
        unit_file_state="enabled",
    )
    ubuntu = plan(facts, state="disabled")
    assert ubuntu["files"] == [{"path": DROP_IN, "state": "absent"}, {"path": LINK, "state": "absent"}]
    assert ubuntu["stop"] and ubuntu["start"]


def test_a_unit_that_is_not_ours_is_never_removed():
    facts = runfile(unit_text="[Service]\nExecStart=/usr/bin/nvidia-persistenced\n[Install]\n")
    assert plan(facts, state="disabled")["steps"] == []
    assert plan(facts)["files"][0]["path"] == DROP_IN


SHAPE = st.sampled_from(["debian", "ubuntu", "rpm", "masked", "runfile", None])
HOSTS = st.builds(
    lambda shape, boot, active, failed, on, stale, loaded: (
        runfile()
        if shape == "runfile"
        else host(
            shape,
            unit_file_state=boot if shape in ("debian", "rpm") else None,
            active=active,
            failed=failed and not active,
            on=on,
            drop_in=stale,
            daemon=True,
            loaded=loaded,
        )
        if shape
        else host(None)
    ),
    SHAPE,
    st.sampled_from(["enabled", "disabled"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "", CONDITION, unit_files.drop_in_text("/bin/false")]),
    st.booleans(),
)
WANTS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["enabled", "disabled"]),
        "user": st.sampled_from([None, "root", "gpu"]),
        "uvm_enabled": st.sampled_from([None, True, False]),
    }
)


@given(HOSTS, WANTS)
def test_a_second_run_is_idle(facts, wants):
    wants = {**wants, "legacy_ok": True}
    for _reveal in range(2):  # what is installed or unmasked is looked at once more within the same run
        facts = carried_out(facts, persistence_plan(facts, wants, PACKAGED["debian"]))
    assert persistence_plan(facts, wants, PACKAGED["debian"])["steps"] == []


@given(HOSTS, WANTS)
def test_disabling_leaves_no_trace(facts, wants):
    on = {**wants, "state": "enabled"}
    for _reveal in range(2):
        facts = carried_out(facts, persistence_plan(facts, on, PACKAGED["debian"]))
    facts = carried_out(facts, persistence_plan(facts, {"state": "disabled"}, PACKAGED["debian"]))
    texts = (unit_of(facts) or {"texts": {}})["texts"]
    assert not any(text.startswith(unit_files.MARK) for text in texts.values())


@given(st.sampled_from(list(COMMANDS.values())), WANTS)
def test_the_wanted_command_line_is_a_fixed_point(packaged, wants):
    once = unit_files.wanted_command(packaged, wants)
    assert unit_files.wanted_command(once, wants) == once
    assert "--no-persistence-mode" not in once.split()
    assert wants["user"] is None or unit_files.user_of(once) == wants["user"]


@given(st.text(max_size=300))
def test_any_text_has_a_command_line_or_none(text):
    command = unit_files.command_of([text])
    assert command is None or command == command.strip()


@given(st.text(max_size=200), WANTS)
def test_any_command_line_can_be_turned(packaged, wants):
    assert "--no-persistence-mode" not in unit_files.wanted_command(packaged, wants).split()


@pytest.mark.parametrize(
    ("command", "user"),
    [("d --user a", "a"), ("d --user=b", "b"), ("d -u c", "c"), ("d", None), ("d --user", None)],
)
def test_the_user_of_a_command_line(command, user):
    assert unit_files.user_of(command) == user
