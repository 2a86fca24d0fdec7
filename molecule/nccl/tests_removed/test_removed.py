"""What is left when NCCL was removed."""

from __future__ import annotations


def test_the_library_and_its_hold_are_gone(host):
    assert not host.package("libnccl2").is_installed
    assert host.check_output("apt-mark showhold") == ""
    assert "libnccl" not in host.check_output("ldconfig -p")
