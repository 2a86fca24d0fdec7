"""After `nvidia_driver_state: absent`: as if the role had never been there, but for the kernel's headers and dkms."""

from __future__ import annotations

from tests import evidence


def test_no_package_of_the_driver_is_left(host):
    assert evidence.driver_packages(host) == {}


def test_nothing_is_held_any_more(host):
    assert evidence.held(host) == set()


def test_no_configuration_is_left(host):
    for path in (
        "/etc/modprobe.d/gpufleet-nvidia.conf",
        "/etc/apt/apt.conf.d/52gpufleet-nvidia",
        "/etc/apt/sources.list.d/gpufleet-nvidia.sources",
    ):
        assert not host.file(path).exists, path


def test_the_initramfs_has_forgotten_the_blacklist(host):
    assert "gpufleet" not in host.check_output(f"lsinitramfs /boot/initrd.img-{evidence.newest_kernel(host)}")


def test_dkms_has_nothing_of_nvidia_s_left(host):
    assert evidence.dkms(host) == []


def test_nouveau_has_the_cards_again(host):
    assert evidence.facts(host)["nouveau"]["loaded"] != []
