"""The role cuda: Debian's real toolkits, and two stand-ins for NVIDIA's runfiles on a stand-in for a vGPU guest."""

from __future__ import annotations

import re

import pytest

from tests import evidence

PROGRAM = "__global__ void square(int *x) { *x *= *x; }\\nint main() { return 0; }\\n"
WANTED = {
    "cuda12": {"11.8": "/usr/bin/nvcc"},
    "cuda13": {"12.4": "/usr/bin/nvcc"},
    "cudagrid": {"12.4": "/usr/local/cuda-12.4/bin/nvcc", "11.8": "/usr/local/cuda-11.8/bin/nvcc"},
}


@pytest.fixture(scope="module")
def name(host):
    return host.backend.get_pytest_id().rsplit("//", 1)[-1]


@pytest.fixture(scope="module")
def wanted(name):
    return WANTED[name]


def test_each_compiler_is_of_the_release_that_was_asked_for(host, wanted):
    for release, nvcc in wanted.items():
        assert f"release {release}," in host.check_output(f"{nvcc} --version")


def test_each_compiler_makes_a_program(host, wanted):
    for nvcc in wanted.values():
        folder = host.check_output("mktemp -d")
        assert host.run(f"printf '{PROGRAM}' > {folder}/x.cu").rc == 0
        host.check_output(f"{nvcc} -o {folder}/x {folder}/x.cu")
        assert host.file(f"{folder}/x").size > 0


@pytest.mark.parametrize(("machine", "architectures"), [("cuda12", ["sm_50", "sm_61"]), ("cuda13", ["sm_90"])])
def test_debian_s_compiler_makes_code_for_the_cards_of_the_host(host, name, machine, architectures):
    if name != machine:
        pytest.skip("another host")
    host.check_output(f"printf '{PROGRAM}' > /tmp/y.cu")
    flags = " ".join(f"-gencode=arch=compute_{code[3:]},code={code}" for code in architectures)
    host.check_output(f"nvcc {flags} -o /tmp/y /tmp/y.cu")
    assert sorted(set(re.findall(r"sm_\d+", host.check_output("cuobjdump --list-elf /tmp/y")))) == architectures


def test_the_driver_s_packages_are_what_they_were(host, name):
    listing = host.check_output(
        r"dpkg-query -W -f '${source:Package} ${binary:Package} ${Version} ${db:Status-Want}\n'"
    )
    now = sorted(row for row in listing.splitlines() if row.startswith(("nvidia-graphics-drivers", "linux")))
    before = host.file("/root/driver-before").content_string.split("\n")
    if name == "cuda13":  # it had no driver: the libraries that the toolkit needs came, and no module
        now = [row for row in now if not re.search(r"^nvidia-graphics-drivers|linux-libc-dev", row)]
        assert host.run("dpkg -l '*dkms*' | grep ^ii").rc == 1
    now = [row for row in now if "linux-libc-dev" not in row]
    assert now == [row for row in before if row and "linux-libc-dev" not in row]


def test_the_toolkits_packages_are_held(host, name):
    if name == "cudagrid":
        pytest.skip("no packages there")
    assert "nvidia-cuda-toolkit" in evidence.held(host)


def test_the_facts_show_what_is_there(host, wanted):
    toolkits = evidence.facts(host)["cuda"]["toolkits"]
    assert {row["release"]: row["nvcc"] for row in toolkits} == wanted


def test_the_linker_finds_the_runtime(host, name):
    if name == "cudagrid":  # the stand-ins have no real libraries, so the folders must do
        looked_in = re.findall(r"^(/\S+?):", host.check_output("ldconfig -v -N 2> /dev/null"), re.M)
        assert {"/usr/local/cuda/lib64", "/usr/local/cuda-11.8/lib64"} <= set(looked_in)
    else:
        assert "libcudart.so" in host.check_output("ldconfig -p")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_login_shell_finds_the_default_compiler(host, wanted, name, shell):
    found = host.check_output(f"env -i HOME=/root PATH=/usr/bin:/bin {shell} -lc 'command -v nvcc; nvcc --version'")
    assert found.startswith("/usr/local/cuda/bin/nvcc" if name == "cudagrid" else "/usr/bin/nvcc")
    assert f"release {next(iter(wanted))}," in found


def test_usr_local_cuda_is_an_alternative_among_the_toolkits(host, name):
    if name != "cudagrid":
        assert not host.file("/usr/local/cuda").exists
        return
    said = host.check_output("update-alternatives --query cuda")
    assert re.search(r"^Value: /usr/local/cuda-12.4$", said, re.M)
    assert set(re.findall(r"^Alternative: (\S+)$", said, re.M)) == {"/usr/local/cuda-12.4", "/usr/local/cuda-11.8"}
    assert host.file("/usr/local/cuda").linked_to == "/usr/local/cuda-12.4"


def test_nobody_s_shell_start_was_touched(host):
    assert host.run("grep -l cuda /root/.bashrc /root/.profile /etc/environment /etc/bash.bashrc /etc/profile").rc == 1
