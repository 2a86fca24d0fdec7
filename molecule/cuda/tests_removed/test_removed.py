"""After the removal: no toolkit, none of the role's files, and the driver's packages where they were."""

from __future__ import annotations


def test_no_compiler_is_left(host):
    assert host.run("command -v nvcc").rc != 0
    assert host.run("ls -d /usr/local/cuda*").rc != 0


def test_none_of_the_role_s_files_is_left(host):
    for path in (
        "/etc/profile.d/gpufleet-nvidia-cuda.sh",
        "/etc/ld.so.conf.d/gpufleet-nvidia-cuda.conf",
        "/etc/apt/preferences.d/gpufleet-nvidia-cuda",
    ):
        assert not host.file(path).exists, path


def test_the_driver_s_packages_stay(host):
    listing = host.check_output(
        r"dpkg-query -W -f '${source:Package} ${binary:Package} ${Version} ${db:Status-Want}\n'"
    ).splitlines()
    before = [row for row in host.file("/root/driver-before").content_string.split("\n") if row]
    assert {row for row in before if row.startswith("nvidia")} <= set(listing)


def test_what_only_the_toolkit_needed_went_with_it(host):
    assert host.run("dpkg -l 'libcublas*' | grep ^ii").rc != 0
