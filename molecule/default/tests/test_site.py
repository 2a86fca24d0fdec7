"""site.yml on a bare Debian 12 with a Tesla P40 beside a GTX 750 Ti.

The driver's modules, packages and daemon are the real ones; the cards, and so NVML, are stand-ins of the lab.
"""

from __future__ import annotations

import pytest

from tests import evidence

DRIVER = "535."


@pytest.fixture(scope="module")
def facts(host):
    return evidence.facts(host)


def test_the_module_is_built_by_dkms_for_the_kernel_that_boots_next(host):
    kernel = evidence.newest_kernel(host)
    assert [state for module, built_for, state in evidence.dkms(host) if built_for == kernel] == ["installed"]


def test_the_module_on_disk_is_nvidia_s_own_and_proprietary_because_pascal_has_no_open_one(host):
    kernel = evidence.newest_kernel(host)
    assert evidence.modinfo(host, kernel, "version").startswith(DRIVER)
    assert evidence.modinfo(host, kernel, "license") == "NVIDIA"
    assert evidence.modinfo(host, kernel, "signer")


def test_every_package_of_the_driver_is_held(host):
    packages = set(evidence.driver_packages(host))
    assert {"nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1"} <= packages
    assert packages <= evidence.held(host)


def test_a_full_upgrade_leaves_the_driver_alone(host):
    plan = host.check_output("apt-get -s dist-upgrade")
    assert not [
        line
        for line in plan.splitlines()
        if line.startswith(("Inst nvidia", "Inst libnvidia", "Remv nvidia", "Inst libcuda"))
    ]


def test_unattended_upgrades_are_told_to_leave_the_driver_alone(host):
    config = host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")
    assert "nvidia" in config


def test_nouveau_is_kept_away_also_in_the_initramfs(host):
    kernel = evidence.newest_kernel(host)
    listing = host.check_output(f"lsinitramfs /boot/initrd.img-{kernel}")
    assert "etc/modprobe.d/gpufleet-nvidia.conf" in listing
    assert "blacklist nouveau" in host.check_output("modprobe --showconfig")
    assert "blacklist nova_core" in host.check_output("modprobe --showconfig")


def test_the_host_was_rebooted_and_nouveau_is_gone(host, facts):
    assert facts["nouveau"]["loaded"] == []
    assert facts["nouveau"]["bound"] == []


def test_the_facts_call_the_host_coherent(facts):
    assert facts["coherence"]["verdict"] == "coherent", facts["coherence"]["reasons"]
    assert facts["driver"]["loaded"]["version"].startswith(DRIVER)
    assert facts["driver"]["loaded"]["version"] == facts["driver"]["library"]["version"]
    assert facts["driver"]["install"]["method"] == "packages"


def test_both_cards_answer_through_nvml(host, facts):
    seen = {gpu["name"] for gpu in evidence.nvml(host)}
    assert len(seen) == 2 and any("P40" in name for name in seen)
    assert {gpu["name"] for gpu in facts["gpus"]} == seen


def test_persistence_is_on_for_every_card_and_the_real_daemon_holds_it(host):
    assert host.service("nvidia-persistenced").is_running
    assert host.process.filter(comm="nvidia-persiste")
    assert all(gpu["persistence"] == 1 for gpu in evidence.nvml(host))


def test_the_drop_in_of_the_collection_is_active(host):
    drop_ins = host.check_output("systemctl show nvidia-persistenced -p DropInPaths --value")
    assert "gpufleet" in drop_ins
