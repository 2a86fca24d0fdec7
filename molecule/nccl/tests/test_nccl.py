"""The library on the host itself: the package's own files, its hold, and what the linker gives."""

from __future__ import annotations


def test_the_archive_s_library_is_installed_and_held(host):
    package = host.package("libnccl2")
    assert package.is_installed and package.version.startswith("2.22.3")
    assert "libnccl2" in host.check_output("apt-mark showhold").split()


def test_the_linker_gives_it(host):
    lines = [line for line in host.check_output("ldconfig -p").splitlines() if "libnccl.so.2 " in line]
    path = lines[0].rsplit("=> ", 1)[1]
    assert host.check_output(f"readlink -f {path}").endswith("libnccl.so.2.22.3")


def test_it_can_be_loaded(host):
    code = (
        "import ctypes; v = ctypes.c_int(); ctypes.CDLL('libnccl.so.2').ncclGetVersion(ctypes.byref(v)); print(v.value)"
    )
    assert host.check_output(f'python3 -c "{code}"') == "22203"


def test_no_driver_came_with_it(host):
    names = host.check_output("dpkg-query -W -f '${Package}\\n'").split()
    assert not [name for name in names if name.startswith(("nvidia-kernel", "nvidia-driver", "libcuda1"))]


def test_no_other_source_was_added(host):
    names = set(host.file("/etc/apt/sources.list.d").listdir())
    assert names == {"debian.sources", "gpufleet-nvidia.sources"}
