"""Which checks follow from facts, stack and wants, and when a host is not looked at at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.modules.preflight import ARGUMENT_SPEC
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_plan import CHECKS, preflight_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_report import preflight_report
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_variables import misspelt, owner
from tests.unit.golden.converged import LOADED_OLD, OLD, VERSION, converged
from tests.unit.golden.hosts import driver, host

KNOWN = {"nvidia_driver": ["nvidia_driver_branch"], "cuda": ["cuda_versions", "cuda_method"]}


def stack_of(facts: dict[str, Any], *releases: str, by: str = "repository", **wants: Any) -> dict[str, Any]:
    """A stack made by hand: the real driver plan, and these CUDA releases."""
    plan = driver_plan(facts, wants)
    rows = [{"release": release, "update": None, "driver": None, "floor": None, "mode": "full"} for release in releases]
    cuda = {"wanted": bool(rows), "releases": rows, "method": by, "newest": None}
    return {"driver": plan, "cuda": cuda, "nccl": {"wanted": False}, "findings": plan["findings"]}


def plan(facts, *releases, options=None, driver_wants=None, **wants):
    asked = {"nvidia_driver": driver_wants or {}, "cuda": {"versions": list(releases), "method": "repository"}, **wants}
    method = asked["cuda"].get("method", "repository")
    return preflight_plan(facts, stack_of(facts, *releases, by=method, **(driver_wants or {})), asked, options)


def test_a_converged_host_is_not_looked_at():
    found = plan(converged())
    assert (found["idle"], found["pending"]) == (True, [])
    assert found["arguments"]["transactions"] == [] and found["arguments"]["space"] == []


@pytest.mark.parametrize(
    ("changes", "wants"),
    [
        ({"driver.install.packages": []}, {}),
        ({"driver.dkms": []}, {}),
        ({}, {"version": "535.216.01"}),
        ({}, {"upgrade_ok": True}),
        ({}, {"state": "absent"}),
    ],
)
def test_a_host_on_which_the_driver_is_not_as_declared_is_looked_at(changes, wants):
    found = plan(converged(**changes), driver_wants=wants)
    assert (found["idle"], found["pending"]) == (False, ["nvidia_driver"])


def test_a_host_with_an_error_is_looked_at_so_that_the_report_is_whole():
    facts = converged(**{"driver.install.method": "mixed", "driver.install.runfile": {"version": "550.54.14"}})
    found = plan(facts)
    assert found["idle"] is False
    assert "runfile_installed" in [row["code"] for row in found["findings"] if row["severity"] == "error"]


def test_a_guest_whose_driver_is_fixed_needs_nothing_of_the_driver():
    facts = host("debian-12", "a100", place="vgpu_guest")
    stack = {"driver": {"fixed": True, "findings": []}, "cuda": {"releases": []}, "findings": []}
    found = preflight_plan(facts, stack, {})
    assert (found["idle"], found["pending"]) == (True, [])
    assert found["arguments"]["clock"] is True and found["arguments"]["iommu"] is False


def test_the_driver_s_transaction_is_the_one_that_its_role_will_ask_for():
    (row,) = plan(host("debian-12", "p40"), driver_wants={"version": VERSION})["arguments"]["transactions"]
    asked = driver_plan(host("debian-12", "p40"), {"version": VERSION})
    assert row["packages"] == asked["packages"] + asked["nvml_packages"]
    assert (row["driver"], row["version"], row["branch"], row["kernels"]) == (True, VERSION, "535", [OLD])
    assert row["header_packages"] == asked["header_packages"] and row["remove"] == asked["remove"]
    assert [file["path"] for file in row["sources"]] == ["/etc/apt/sources.list.d/gpufleet-nvidia.sources"]


def test_a_toolkit_comes_after_a_driver_that_is_missing_and_alone_where_it_is_there():
    rows = plan(host("debian-12", "p40"), "12.6")["arguments"]["transactions"]
    assert [(row["name"], row.get("after_driver")) for row in rows] == [("nvidia_driver", None), ("cuda", True)]
    (row,) = plan(converged(), "12.6")["arguments"]["transactions"]
    assert (row["name"], row["after_driver"], row["packages"]) == ("cuda", False, ["cuda-toolkit-12-6"])


def test_arguments_are_options_of_the_module():
    for facts in (host("debian-12", "p40"), converged(), host("rocky-9", "h200")):
        arguments = plan(facts, "12.6")["arguments"]
        assert set(arguments) <= set(ARGUMENT_SPEC)
        for name in ("transactions", "space"):
            assert all(set(row) <= set(ARGUMENT_SPEC[name]["options"]) for row in arguments[name])


def room(found, path):
    return [(row["mib"], row["reason"]) for row in found["arguments"]["space"] if row["path"] == path]


def test_room_is_asked_for_where_the_roles_write():
    facts = host("debian-12", "p40")
    facts["kernel"]["installed"][0]["initramfs"] = "/boot/initrd.img-x"
    found = plan(facts, "12.6", "11.8")
    (boot,) = [row for row in found["arguments"]["space"] if row["path"] == "/boot"]
    assert boot["copy_of"] == ["/boot/initrd.img-x"]
    assert room(found, "/var/lib") and room(found, "/lib/modules")
    ((toolkits, reason),) = room(found, "/usr/local")
    assert toolkits == 14000 and "12.6 and 11.8" in reason
    assert plan(converged())["arguments"]["space"] == []


def test_a_toolkit_s_runfile_needs_room_for_itself_and_for_what_it_unpacks():
    given = {"12.6": {"src": "/srv/x.run", "sha256": "0" * 64}}
    found = plan(converged(), "12.6", cuda={"versions": ["12.6"], "method": "runfile", "runfiles": given})
    assert room(found, "/usr/local/cuda-12.6") and room(found, "/var/tmp")
    assert found["arguments"]["transactions"] == []


@pytest.mark.parametrize(("method", "folder"), [("repository", "/usr"), ("hpcsdk", "/opt")])
def test_nccl_is_asked_for_beside_a_driver_that_is_there(method, folder):
    stack = stack_of(converged())
    stack["nccl"] = {"wanted": True, "method": method, "version": "2.23.4", "package": "2.23.4-1+cuda12.6"}
    found = preflight_plan(converged(), stack, {"nccl": {"version": "2.23.4", "hpcsdk_package": "nvhpc-26-1"}})
    (row,) = found["arguments"]["transactions"]
    assert (found["pending"], row["name"], row["after_driver"]) == (["nccl"], "nccl", False)
    assert row["packages"] == (["libnccl2=2.23.4-1+cuda12.6"] if method == "repository" else ["nvhpc-26-1"])
    assert room(found, folder)


@pytest.mark.parametrize(
    ("platform", "folder"), [("debian-12", "/var/cache/apt/archives"), ("rocky-9", "/var/cache/dnf")]
)
def test_fetched_packages_lie_where_the_package_manager_keeps_them(platform, folder):
    assert room(plan(host(platform, "h200")), folder)


@pytest.mark.parametrize(
    ("loaded", "wants", "grave"),
    [
        (LOADED_OLD, {}, "error"),
        (LOADED_OLD, {"reboot_ok": True}, "warning"),
        (None, {}, "warning"),
        ({"version": VERSION, "flavour": "proprietary"}, {"hold_enabled": True}, "warning"),
    ],
)
def test_a_program_on_a_gpu_is_in_the_way_only_where_modules_change_and_nobody_may_reboot(loaded, wants, grave):
    facts = converged(**{"driver.loaded": loaded, "driver.dkms": []})
    assert plan(facts, driver_wants={"branch": 535, "version": VERSION, **wants})["arguments"]["holders"] == grave


@pytest.mark.parametrize(
    ("state", "mode", "looked_at"),
    [
        ("enabled", "ignore", True),
        ("enabled", "auto", False),  # the role sees to the key itself
        ("disabled", "ignore", False),
        ("unsupported", "ignore", False),
        ("unknown", "ignore", False),
    ],
)
def test_the_signing_key_matters_where_the_role_leaves_it_to_others(state, mode, looked_at):
    facts = host("debian-12", "p40")
    facts["system"]["secure_boot"] = state
    assert plan(facts, driver_wants={"secure_boot": mode})["arguments"]["signing"] is looked_at


@pytest.mark.parametrize(
    ("facts", "options", "iommu", "clock"),
    [
        ({}, {}, False, False),
        ({"place": "vgpu_host"}, {}, True, False),
        ({"place": "vgpu_guest"}, {}, False, True),
        ({"grid": {"installed": True}}, {}, False, True),
        ({}, {"iommu_required": True, "clock_required": True}, True, True),
        ({"place": "vgpu_host"}, {"iommu_required": False}, False, False),
        ({"place": "vgpu_host"}, {"checks": ["clock"]}, False, False),
    ],
)
def test_iommu_and_clock_are_looked_at_where_vgpu_needs_them(facts, options, iommu, clock):
    arguments = plan(host("debian-12", "a100", **facts), options=options)["arguments"]
    assert (arguments["iommu"], arguments["clock"]) == (iommu, clock)


@given(st.sets(st.sampled_from(CHECKS)))
def test_a_check_that_is_taken_out_is_not_made(checks):
    facts = host("debian-12", "p40", place="vgpu_host", grid={"installed": True})
    facts["system"]["secure_boot"] = "enabled"
    stack = stack_of({**facts, "place": "bare_metal"}, secure_boot="ignore")
    arguments = preflight_plan(facts, stack, {}, {"checks": sorted(checks)})["arguments"]
    made = {
        "packages": bool(arguments["transactions"]),
        "space": bool(arguments["space"]),
        "holders": arguments["holders"] != "ignored",
        **{name: arguments[name] for name in ("lock", "signing", "iommu", "clock")},
    }
    assert {name for name, is_made in made.items() if is_made} == checks


def test_the_least_patient_role_decides_whether_a_lock_is_waited_for():
    found = plan(host("debian-12", "p40"), "12.6", driver_wants={"lock_timeout": 40}, cuda={"versions": ["12.6"]})
    assert found["arguments"]["lock_timeout"] == 40
    assert plan(host("debian-12", "p40"))["arguments"]["lock_timeout"] == 300


def test_a_runfile_needs_its_tools_before_anything_of_a_driver():
    runfile = {"src": "/srv/NVIDIA-Linux-x86_64-570.86.15.run", "sha256": "0" * 64}
    wants = {"method": "runfile", "runfile": runfile}
    (row,) = plan(host("debian-12", "p40"), driver_wants=wants)["arguments"]["transactions"]
    assert not row.get("driver") and row["after_driver"] and row["header_packages"]
    assert "nvidia-smi" not in row["packages"]


def test_a_toolkit_is_not_warned_of_a_driver_that_comes_first():
    wants = {"cuda": {"versions": ["11.8"], "method": "distribution"}}
    facts = host("debian-12", "p40")
    assert "driver_libraries_come" not in [row["code"] for row in plan(facts, "11.8", **wants)["findings"]]
    stack = {"driver": {}, "cuda": stack_of(facts, "11.8", by="distribution")["cuda"], "findings": []}
    assert "driver_libraries_come" in [row["code"] for row in preflight_plan(facts, stack, wants)["findings"]]


def finding(severity, code, text):
    return {"severity": severity, "code": code, "text": text, "source": "x"}


ROWS = [finding("note", "n", "a note"), finding("error", "e", "an error"), finding("warning", "w", "a warning")]


@pytest.mark.parametrize(
    ("fail_on", "refused"), [("error", ["an error"]), ("warning", ["an error", "a warning"]), ("nothing", [])]
)
def test_the_report_is_sorted_and_refuses_what_it_is_told_to(fail_on, refused):
    report = preflight_report([*ROWS, *ROWS], fail_on)
    assert report["lines"] == ["ERROR: an error", "WARNING: a warning", "NOTE: a note"]
    assert report["refused"] == refused


def test_what_was_seen_on_the_host_replaces_a_guess_from_the_facts():
    guess = finding("warning", "secure_boot_untrusted", "a guess")
    assert preflight_report([guess])["findings"] == [guess]
    seen = finding("note", "signing_key_enrolled", "seen")
    assert preflight_report([guess, seen])["findings"] == [seen]


def test_a_word_that_is_no_severity_is_refused():
    with pytest.raises(ValueError, match="'never'"):
        preflight_report([], "never")


def test_misspelt_variables_of_all_roles_are_named_at_once():
    found = misspelt(["cuda_version", "nvidia_driver_brnach", "cuda_method", "curl_x", "nvidia_foo"], KNOWN)
    assert sorted(row["text"].split(" ")[0] for row in found) == ["cuda_version", "nvidia_driver_brnach"]
    assert any("did you mean nvidia_driver_branch?" in row["text"] for row in found)


def test_a_variable_belongs_to_the_longest_prefix():
    assert owner("cuda_samples_x", ["cuda", "cuda_samples"]) == "cuda_samples"
    assert owner("cuda_x", ["cuda", "cuda_samples"]) == "cuda"
    assert owner("cudax", ["cuda"]) is None


def test_a_foreign_runfile_is_among_the_findings_of_a_bare_host():
    facts = host("debian-12", "p40", driver=driver("runfile", runfile={"version": "470.1", "uninstaller": "/x"}))
    assert "runfile_installed" in [row["code"] for row in plan(facts)["findings"]]
