"""What a host gets, from its facts, the chosen stack and the wants."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _cuda
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_distributions, cuda_files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_plan import cuda_plan
from tests.unit.golden.hosts import host

RUNFILES = {release: {"src": f"/srv/cuda_{release}.run", "sha256": "0" * 64} for release in ("12.6", "11.8")}


def stack(*releases: str, method: str | None = None, findings: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    rows = [{"release": release, "update": None, "driver": None, "floor": None, "mode": "full"} for release in releases]
    return {"cuda": {"wanted": bool(rows), "releases": rows, "method": method}, "findings": list(findings)}


def toolkit(release: str, source: str, **changes: Any) -> dict[str, Any]:
    path = "/usr" if source == "distribution" else f"/usr/local/cuda-{release}"
    package = {"repository": f"cuda-toolkit-{release.replace('.', '-')}", "distribution": "nvidia-cuda-toolkit"}
    row = {"release": release, "version": None, "update": None, "path": path, "nvcc": f"{path}/bin/nvcc"}
    return {**row, "source": source, "package": package.get(source), **changes}


def with_cuda(facts: dict[str, Any], *toolkits: dict[str, Any], held: bool = True, default: str | None = None) -> Any:
    packages = [{"name": t["package"], "version": "1", "held": held} for t in toolkits if t["package"]]
    return {
        **facts,
        "cuda": {
            "toolkits": list(toolkits),
            "packages": packages,
            "default": {"path": default, "release": None, "alternatives": True} if default else None,
            "files": {},
        },
    }


def with_files(facts: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """The facts once the plan's files are written."""
    texts = {f["path"]: f["content"] for f in [*plan["files"], *plan["package_files"]] if "content" in f}
    seen = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
    return {**facts, "cuda": {**facts["cuda"], "files": seen}}


def codes(plan: dict[str, Any], severity: str = "error") -> list[str]:
    return [row["code"] for row in plan["findings"] if row["severity"] == severity]


GUEST = {"place": "vgpu_guest", "grid": {"installed": True, "gridd": "/usr/bin/nvidia-gridd", "protected_by": []}}


def test_nothing_wanted_is_nothing_done_and_said():
    plan = cuda_plan(host("debian-13", "h200"), stack(), {})
    assert (plan["idle"], plan["steps"], plan["findings"]) == (True, [], [])
    assert "cuda_versions" in plan["skipped"]


def test_the_repository_brings_the_toolkit_and_no_driver():
    plan = cuda_plan(host("ubuntu-24.04", "h200"), stack("12.6"), {"versions": ["12.6"], "method": "repository"})
    assert (plan["packages"], plan["hold"], codes(plan)) == (["cuda-toolkit-12-6"], True, [])
    assert plan["repository"]["path"] == "/etc/apt/sources.list.d/gpufleet-nvidia-cuda.sources"
    assert f"Signed-By: {plan['key']['path']}" in plan["repository"]["content"]
    assert plan["link"] == {
        "path": "/usr/local/cuda-12.6",
        "choices": [{"path": "/usr/local/cuda-12.6", "priority": 126}],
    }
    assert "cuda-*-12-6" in plan["hold_also"]


def test_the_driver_s_file_serves_both_where_it_comes_from_there_too():
    chosen = {**stack("12.6"), "driver": {"method": "repository", "findings": []}}
    plan = cuda_plan(host("ubuntu-24.04", "h200"), chosen, {"versions": ["12.6"], "method": "repository"})
    assert plan["repository"]["path"] == "/etc/apt/sources.list.d/gpufleet-nvidia-driver.sources"


def test_an_exact_version_is_pinned_and_an_unknown_one_refused():
    wants = {"versions": ["12.6.3"], "method": "repository"}
    assert cuda_plan(host("ubuntu-24.04"), stack("12.6"), wants)["packages"] == ["cuda-toolkit-12-6=12.6.3-1"]
    wrong = cuda_plan(host("ubuntu-24.04"), stack("12.6"), {**wants, "versions": ["12.6.9"]})
    assert codes(wrong) == ["cuda_update_unknown"]
    assert "12.6.3" in wrong["findings"][0]["text"]
    assert wrong["steps"] == []


@pytest.mark.parametrize(
    ("platform", "release", "companions"),
    [("debian-12", "11.8", ["g++"]), ("debian-13", "12.4", [])],
)
def test_the_distribution_s_toolkit_is_taken_where_it_is_what_is_wanted(platform, release, companions):
    plan = cuda_plan(host(platform, "p40"), stack(release), {"versions": [release]})
    assert (plan["method"], plan["packages"], plan["link"]) == ("distribution", ["nvidia-cuda-toolkit"], None)
    assert plan["companions"] == companions
    assert {file["state"] for file in plan["files"]} == {"absent"}
    assert plan["driver_libraries_ok"]
    assert codes(plan, "warning") == ["driver_libraries_come"]


@pytest.mark.parametrize(
    ("platform", "release", "code"),
    [("debian-13", "12.6", "distribution_release"), ("ubuntu-24.04", "12.6", "distribution_toolkit_unknown")],
)
def test_a_distribution_has_one_release_or_none(platform, release, code):
    plan = cuda_plan(host(platform, "p40"), stack(release), {"versions": [release], "method": "distribution"})
    assert codes(plan) == [code]


@pytest.mark.parametrize("method", ["repository", "distribution"])
def test_a_vgpu_guest_refuses_packages_with_the_reason(method):
    facts = {**host("debian-13", "p4"), **GUEST}
    plan = cuda_plan(facts, stack("12.4"), {"versions": ["12.4"], "method": method})
    assert codes(plan) == ["grid_method_refused"]
    assert "removes the GRID driver" in plan["findings"][0]["text"]
    assert plan["steps"] == []
    allowed = {"versions": ["12.4"], "method": method, "protect_driver_enabled": True}
    plan = cuda_plan(facts, stack("12.4"), allowed)
    assert (codes(plan), codes(plan, "note")) == ([], ["grid_driver_protected"])
    assert "Pin: release *\nPin-Priority: -1" in plan["package_files"][0]["content"]


def test_a_vgpu_guest_gets_its_toolkits_from_runfiles():
    wants = {"versions": ["12.6", "11.8"], "runfiles": RUNFILES}
    plan = cuda_plan({**host("debian-13", "p4"), **GUEST}, stack("12.6", "11.8"), wants)
    assert (plan["method"], plan["packages"], codes(plan)) == ("runfile", [], [])
    assert [row["toolkit_path"] for row in plan["runfiles"]] == ["/usr/local/cuda-12.6", "/usr/local/cuda-11.8"]
    linker = next(file for file in plan["files"] if file["path"] == cuda_files.LINKER)
    assert linker["content"].splitlines()[1:] == ["/usr/local/cuda/lib64", "/usr/local/cuda-11.8/lib64"]


def test_a_missing_runfile_is_named_as_nvidia_names_it():
    wants = {"versions": ["12.6.3", "13.4"], "method": "runfile"}
    plan = cuda_plan(host("ubuntu-24.04"), stack("12.6", "13.4"), wants)
    texts = " ".join(row["text"] for row in plan["findings"])
    assert "cuda_12.6.3_560.35.05_linux.run" in texts
    assert "cuda_13.4.2_linux.run" in texts
    assert "sha256sum" in texts
    unsigned = {**wants, "versions": ["12.6"], "runfiles": {"12.6": {"src": "/srv/x.run"}}}
    assert codes(cuda_plan(host("ubuntu-24.04"), stack("12.6"), unsigned)) == ["runfile_checksum_missing"]


def test_the_distribution_s_toolkit_is_not_mixed_with_another():
    facts = with_cuda(host("debian-12", "p40"), toolkit("11.8", "distribution"))
    plan = cuda_plan(facts, stack("12.6"), {"versions": ["12.6"], "method": "repository"})
    assert codes(plan) == ["toolkits_mixed"]
    assert "/usr/bin" in plan["findings"][0]["text"]


def test_the_default_must_be_one_of_them_and_is_the_first_otherwise():
    wants = {"versions": ["12.6", "11.8"], "method": "repository"}
    facts, chosen = host("ubuntu-24.04", "p40"), stack("12.6", "11.8")
    assert cuda_plan(facts, chosen, wants)["link"]["path"] == "/usr/local/cuda-12.6"
    assert cuda_plan(facts, chosen, {**wants, "default": "11.8"})["link"]["path"] == "/usr/local/cuda-11.8"
    assert codes(cuda_plan(facts, chosen, {**wants, "default": "9.0"})) == ["cuda_default_unknown"]


def test_cudnn_comes_from_the_repository_for_each_major_release():
    wants = {"versions": ["12.6", "11.8"], "method": "repository", "cudnn_enabled": True}
    plan = cuda_plan(host("ubuntu-24.04", "p40"), stack("12.6", "11.8"), wants)
    assert plan["packages"][-2:] == ["cudnn9-cuda-12", "cudnn9-cuda-11"]
    other = cuda_plan(
        host("debian-13", "p40"), stack("12.4"), {**wants, "versions": ["12.4"], "method": "distribution"}
    )
    assert "cudnn_not_offered" in codes(other)


def test_the_driver_is_kept_from_the_repository_when_that_is_wanted():
    wants = {"versions": ["12.6"], "method": "repository", "protect_driver_enabled": True}
    (file,) = cuda_plan(host("ubuntu-24.04", "p40"), stack("12.6"), wants)["package_files"]
    assert file["path"] == cuda_files.PREFERENCES
    assert 'Pin: origin "' in file["content"] and "Pin-Priority: -1" in file["content"]
    assert "cuda-drivers*" in file["content"] and "cuda-toolkit" not in file["content"]


@pytest.mark.parametrize(
    ("platform", "source", "method"),
    [("ubuntu-24.04", "repository", "repository"), ("debian-12", "distribution", "distribution"),
     ("debian-13", "runfile", "runfile")],
)  # fmt: skip
def test_a_host_that_is_as_declared_has_no_steps(platform, source, method):
    release = "11.8"
    wants = {"versions": [release], "method": method, "runfiles": RUNFILES}
    there = toolkit(release, source)
    facts = with_cuda(host(platform, "p40"), there, default=None if source == "distribution" else there["path"])
    first = cuda_plan(facts, stack(release), wants)
    second = cuda_plan(with_files(facts, first), stack(release), wants)
    assert (second["idle"], second["steps"], second["deviations"]) == (True, [], [])
    drifted = with_cuda(with_files(facts, first), there, held=False, default=first["link"] and "/usr/local/cuda-9.0")
    assert not cuda_plan(drifted, stack(release), wants)["idle"]


def test_parts_without_the_metapackage_are_a_toolkit():
    """As on the captured machine, where cuda-toolkit-13-0 itself is not installed."""
    facts = with_cuda(host("ubuntu-24.04", "h200"), toolkit("13.0", "repository", package="cuda-compiler-13-0"))
    plan = cuda_plan(facts, stack("13.0"), {"versions": ["13.0"], "method": "repository"})
    assert plan["packages"] == []


def test_a_toolkit_by_another_method_is_left_and_said():
    facts = with_cuda(host("ubuntu-24.04", "p40"), toolkit("12.6", "runfile"))
    plan = cuda_plan(facts, stack("12.6"), {"versions": ["12.6"], "method": "repository"})
    assert (plan["packages"], codes(plan, "note")) == ([], ["toolkit_by_other_method"])


def test_findings_of_the_driver_alone_are_the_driver_s_business():
    row = {"severity": "error", "code": "gpu_missing", "text": "No GPU.", "source": "x"}
    fatal = {"severity": "error", "code": "driver_too_old_for", "text": "CUDA 13.0 needs 580.", "source": "x"}
    chosen = {**stack("12.6", findings=(row, fatal)), "driver": {"findings": [row, fatal]}}
    plan = cuda_plan(host("ubuntu-24.04"), chosen, {"versions": ["12.6"], "method": "repository"})
    assert codes(plan) == ["driver_too_old_for"]


def test_the_proof_is_for_the_cards_that_nvml_shows():
    facts = {**host("ubuntu-24.04", "p40", "gtx750ti"), "nvml": {"available": True}}
    facts["gpus"] = [{"compute_capability": "6.1"}, {"compute_capability": "5.0"}]
    wants = {"versions": ["12.6"], "method": "repository"}
    (row,) = cuda_plan(facts, stack("12.6"), wants)["proofs"]
    assert (row["capabilities"], row["run"]) == (["5.0", "6.1"], True)
    assert not cuda_plan(facts, stack("12.6"), {**wants, "proof_run_enabled": False})["proofs"][0]["run"]
    assert cuda_plan(facts, stack("12.6"), {**wants, "proof_enabled": False})["proofs"] == []


def test_each_toolkit_is_removed_by_the_way_it_came():
    rows = [toolkit("12.6", "repository"), toolkit("11.8", "runfile"), toolkit("9.0", "unknown")]
    facts = with_cuda(host("ubuntu-24.04"), *rows, default="/usr/local/cuda-12.6")
    plan = cuda_plan(facts, stack(), {"state": "absent"})
    assert "cuda-*-12-6" in plan["remove"]
    assert plan["runfiles"] == [{"release": "11.8", "toolkit_path": "/usr/local/cuda-11.8"}]
    assert codes(plan, "warning") == ["toolkit_of_unknown_origin"]
    one = cuda_plan(facts, stack(), {"state": "absent", "versions": ["11.8"]})
    assert (one["remove"], one["files"], len(one["runfiles"])) == ([], [], 1)
    assert cuda_plan(host("ubuntu-24.04"), stack(), {"state": "absent"})["idle"]


def test_facts_of_before_are_read_as_well():
    facts = {name: value for name, value in host("debian-13", "h200").items() if name not in ("cuda", "grid")}
    assert cuda_plan(facts, stack("12.4"), {"versions": ["12.4"]})["packages"] == ["nvidia-cuda-toolkit"]


def test_the_facts_look_at_the_files_that_the_plan_writes():
    assert set(_cuda.FILES) == {cuda_files.PROFILE, cuda_files.LINKER, cuda_files.PREFERENCES}


@pytest.mark.parametrize("name", ["Debian 12", "Debian 13"])
def test_the_distribution_s_toolkit_is_one_that_the_catalogue_knows(name):
    row, catalogue = cuda_distributions.distribution_toolkit(name), load()
    assert row is not None
    assert row["update"] in catalogue.cuda["releases"][row["release"]]["updates"]
    assert catalogue.cite(row["src"])
    assert name in catalogue.supported()


@given(
    st.lists(st.sampled_from(["11.8", "12.4", "12.6"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(["auto", "repository", "distribution", "runfile"]),
    st.sampled_from(["debian-12", "debian-13", "ubuntu-24.04", "rocky-9", "arch"]),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_plan_with_an_error_has_no_steps_and_no_plan_names_a_driver(releases, method, platform, guest, protect):
    facts = {**host(platform, "p40"), **(GUEST if guest else {})}
    wants = {"versions": releases, "method": method, "protect_driver_enabled": protect, "runfiles": RUNFILES}
    plan = cuda_plan(facts, stack(*releases), wants)
    assert not (codes(plan) and plan["steps"])
    assert not any(name.startswith(("cuda-drivers", "nvidia-driver", "libcuda1")) for name in plan["packages"])
    if guest and not protect and plan["steps"]:
        assert plan["packages"] == []
    assert plan == cuda_plan(facts, stack(*releases), wants)
