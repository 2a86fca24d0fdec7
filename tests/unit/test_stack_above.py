"""What runs on CUDA: NCCL's builds and vLLM's needs."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from tests.unit.golden.hosts import codes, host, text_of

CATALOGUE = load()


def test_nccl_is_the_newest_build_for_the_chosen_cuda():
    result = stack(host("ubuntu-24.04", "h200"), {"cuda": "12.6", "nccl": "auto"})
    builds = [row["version"] for row in CATALOGUE.nccl["builds"] if "12.6" in row["cuda"]]
    assert result["nccl"]["version"] == max(builds, key=version_key)
    assert result["nccl"]["package"].endswith("+cuda12.6")
    assert (result["nccl"]["cuda"], result["nccl"]["method"]) == ("12.6", "repository")


def test_nccl_fits_the_installed_toolkit_where_none_is_asked_for():
    default = {"path": "/usr/local/cuda-12.6", "release": "12.6", "alternatives": True}
    facts = host("ubuntu-24.04", "h200", cuda={"toolkits": [], "default": default, "packages": []})
    assert stack(facts, {"nccl": "auto"})["nccl"]["cuda"] == "12.6"


def test_nccl_fits_the_toolkit_that_is_the_default_of_several():
    wants = {"cuda": {"versions": ["13.0", "12.6"], "default": "12.6"}, "nccl": "auto"}
    assert stack(host("ubuntu-24.04", "h200"), wants)["nccl"]["cuda"] == "12.6"


def test_nccl_without_any_cuda_is_refused():
    assert codes(stack(host("ubuntu-24.04", "h200"), {"nccl": "auto"})) == ["nccl_cuda_unknown"]


def test_an_exact_nccl_without_build_for_the_cuda_is_refused_with_those_that_exist():
    result = stack(host("ubuntu-24.04", "h200"), {"cuda": "13.0", "nccl": "2.23.4"})
    assert codes(result) == ["nccl_no_build"]
    text = text_of(result, "nccl_no_build")
    assert "13.0" in text and "12.6" in text and result["nccl"]["version"] is None


def test_an_unknown_nccl_is_named_with_the_nearest():
    result = stack(host("ubuntu-24.04", "h200"), {"cuda": "12.6", "nccl": "2.23.99"})
    assert codes(result) == ["nccl_unknown"]
    assert "2.23.4" in text_of(result, "nccl_unknown")


def test_the_distribution_s_nccl_comes_with_its_cuda():
    result = stack(host("debian-13", "a100"), {"cuda": "auto", "nccl": "auto"})
    own = CATALOGUE.nccl["distributions"]["Debian 13"]
    assert result["nccl"]["method"] == "distribution"
    assert (result["nccl"]["version"], result["nccl"]["package"]) == (own["version"], own["package"])


def test_an_installed_nccl_that_fits_stays_even_when_it_is_in_no_table():
    packages = [{"name": "libnccl2", "version": "2.99.3-1+cuda13.0", "held": True}]
    facts = host("ubuntu-24.04", "h200", nccl={"packages": packages, "libraries": [], "default": None})
    for asked in ("auto", "2.99.3"):
        result = stack(facts, {"cuda": "13.0", "nccl": asked})
        assert (result["nccl"]["package"], codes(result)) == ("2.99.3-1+cuda13.0", [])
    assert stack(facts, {"cuda": "12.6", "nccl": "auto"})["nccl"]["version"] != "2.99.3"


def test_the_hpc_sdk_needs_no_build():
    result = stack(host("ubuntu-24.04", "h200"), {"nccl": {"version": "auto", "method": "hpcsdk"}})
    assert (result["nccl"]["method"], codes(result)) == ("hpcsdk", [])


@pytest.mark.parametrize(("asked", "version"), [("0.11", "0.11."), ("0.11.0", "0.11.0")])
def test_a_vllm_is_taken_by_line_or_by_version(asked, version):
    result = stack(host("ubuntu-24.04", "h200"), {"vllm": asked})
    assert result["vllm"]["version"].startswith(version)
    assert (result["vllm"]["line"], result["vllm"]["cuda"], codes(result)) == ("0.11", "12.8", [])
    assert "0.11" in result["why"]["vllm"]


def test_a_vllm_on_a_p40_is_refused_with_the_reason():
    result = stack(host("ubuntu-24.04", "p40"), {"vllm": "0.11"})
    assert codes(result) == ["vllm_gpu_unsupported"]
    text = text_of(result, "vllm_gpu_unsupported")
    assert "6.1" in text and "7.0" in text and "Tesla P40" in text


def test_a_display_card_beside_is_no_obstacle():
    result = stack(host("ubuntu-24.04", "a100", "gtx750ti"), {"vllm": "0.11"})
    assert (codes(result), codes(result, "warning")) == ([], ["vllm_gpu_unused"])


def test_a_vllm_newer_than_every_driver_is_refused_with_the_newest_that_can_be_had():
    result = stack(host("debian-12", "t4"), {"vllm": "0.33"})
    assert codes(result) == ["vllm_needs_newer_driver"]
    assert "580" in text_of(result, "vllm_needs_newer_driver")


def test_an_unknown_vllm_is_named_with_the_nearest():
    result = stack(host("ubuntu-24.04", "h200"), {"vllm": "0.9999"})
    assert codes(result) == ["vllm_unknown"]
    assert max(CATALOGUE.vllm, key=version_key) in text_of(result, "vllm_unknown")


@pytest.mark.parametrize(("python", "warned"), [("3.8", True), ("3.12", False), ("3.99", True), ("", False)])
def test_the_python_of_the_host_is_looked_at(python, warned):
    facts = host("ubuntu-24.04", "h200")
    facts["system"]["python"] = python
    assert ("vllm_python" in codes(stack(facts, {"vllm": "0.11"}), "warning")) == warned


@pytest.mark.parametrize(("glibc", "refused"), [("2.17", True), ("2.41", False)])
def test_a_c_library_that_is_too_old_is_refused(glibc, refused):
    facts = host("ubuntu-24.04", "h200")
    facts["system"]["glibc"] = glibc
    line = next(name for name, row in CATALOGUE.vllm.items() if row.get("glibc"))
    assert ("vllm_glibc" in codes(stack(facts, {"vllm": line}))) == refused
