"""The driver by NVIDIA's repository and by its runfile, both of them stand-ins; the modules are built for real."""

from __future__ import annotations

import pytest

from tests import evidence

VERSION = "580.105.08"


@pytest.fixture(scope="module")
def facts(host):
    return evidence.facts(host)


@pytest.fixture(scope="module")
def repository(host):
    if host.check_output("hostname") != "drvrepo":
        pytest.skip("this host has the runfile's driver")
    return host


@pytest.fixture(scope="module")
def runfile(host):
    if host.check_output("hostname") != "drvrun":
        pytest.skip("this host has the repository's driver")
    return host


def test_the_driver_is_loaded_in_the_flavour_that_the_cards_want(host, facts):
    flavour = {"drvrepo": "open", "drvrun": "proprietary"}[host.check_output("hostname")]
    loaded = facts["driver"]["loaded"]
    assert (loaded["version"], loaded["flavour"]) == (VERSION, flavour)


def test_dkms_has_built_one_driver(host):
    assert {(name, state) for name, _kernel, state in evidence.dkms(host)} == {(f"nvidia/{VERSION}", "installed")}


def test_the_facts_call_the_host_coherent(facts):
    assert facts["coherence"]["verdict"] == "coherent", facts["coherence"]["reasons"]


def test_the_pinned_branch_is_taken_although_a_newer_one_is_there(repository):
    table = repository.check_output("apt-cache madison nvidia-driver-cuda")
    assert "595.71.05-1" in table
    assert evidence.driver_packages(repository)["nvidia-driver-cuda"] == f"{VERSION}-1"
    assert "nvidia-driver-pinning-580" in evidence.driver_packages(repository)


def test_every_package_is_held(repository):
    assert set(evidence.driver_packages(repository)) <= evidence.held(repository)


def test_the_archive_is_trusted_by_its_own_key_alone(repository):
    entry = repository.file("/etc/apt/sources.list.d/gpufleet-nvidia-driver.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/gpufleet-nvidia-driver.asc" in entry
    assert repository.file("/etc/apt/keyrings/gpufleet-nvidia-driver.asc").mode == 0o644


def test_no_package_of_a_driver_is_there_besides_the_runfile(runfile, facts):
    assert facts["driver"]["install"]["method"] == "runfile"
    assert facts["driver"]["install"]["runfile"]["version"] == VERSION
    assert evidence.driver_packages(runfile) == {}
