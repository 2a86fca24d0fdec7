"""nvidia_driver on Debian 13: real packages and a real DKMS build; the two RTX A6000 are the lab's stand-ins."""

from __future__ import annotations

import pytest

from tests import evidence


@pytest.fixture(scope="module")
def facts(host):
    return evidence.facts(host)


def test_the_open_module_is_built_because_ampere_can_run_it(host, facts):
    kernel = evidence.newest_kernel(host)
    assert [state for _module, built_for, state in evidence.dkms(host) if built_for == kernel] == ["installed"]
    assert "GPL" in evidence.modinfo(host, kernel, "license")
    assert facts["driver"]["loaded"]["flavour"] == "open"


def test_the_firmware_that_the_open_module_needs_is_there(host):
    version = evidence.driver_packages(host)["firmware-nvidia-gsp"].split("-")[0]
    assert host.check_output(f"ls /usr/lib/firmware/nvidia/{version}")


def test_every_package_of_the_driver_is_held(host):
    assert set(evidence.driver_packages(host)) <= evidence.held(host)


def test_the_failed_build_before_left_no_second_driver(host):
    assert len({row[0] for row in evidence.dkms(host)}) == 1


def test_the_facts_call_the_host_coherent(facts):
    assert facts["coherence"]["verdict"] == "coherent", facts["coherence"]["reasons"]


def test_nvlink_is_seen_between_the_cards(facts):
    assert [gpu["nvlinks"]["active"] > 0 for gpu in facts["gpus"]] == [True, True]


def test_no_kernel_came_with_the_driver(host):
    assert host.check_output("ls /lib/modules | wc -l") == "1"
