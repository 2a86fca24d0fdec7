"""The files of a plan: modprobe, unattended upgrades, package sources."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from tests.unit.golden.hosts import archive, codes, driver, host, kernel, package

RUNNING = "6.1.0-41-amd64"


def debian(*cards, release="debian-12", **changes):
    return host(release, *cards, **changes)


def test_parameters_go_to_the_real_name_of_the_module():
    wants = {"module_parameters": {"NVreg_B": True, "NVreg_A": "x=1;y=2"}}
    (file,) = driver_plan(debian("p40"), wants)["module_files"]
    assert file["content"].splitlines()[-2:] == [
        "options nvidia-current NVreg_A=x=1;y=2",
        "options nvidia-current NVreg_B=1",
    ]
    (file,) = driver_plan(debian("a100"), wants)["module_files"]
    assert "options nvidia-current-open NVreg_B=1\n" in file["content"]
    (file,) = driver_plan(host("ubuntu-24.04", "a100"), wants)["module_files"]
    assert "options nvidia NVreg_B=1\n" in file["content"]


@pytest.mark.parametrize("name", ["nouveau", "nova", "nova_core", "nova_drm"])
def test_the_other_drivers_are_kept_from_loading(name):
    (file,) = driver_plan(debian("a100"), {})["module_files"]
    assert f"blacklist {name}\n" in file["content"]


@pytest.mark.parametrize(
    ("name", "left_alone"),
    [
        ("nvidia-kernel-dkms", True),
        ("libcuda1", True),
        ("libegl-nvidia0", True),
        ("nvidia-container-toolkit", False),
        ("libnvidia-container1", False),
        ("libcudart12", False),
        ("linux-image-amd64", False),
    ],
)
def test_unattended_upgrades_leave_the_driver_alone_and_nothing_else(name, left_alone):
    file = driver_plan(debian("a100"), {})["package_files"][-1]
    patterns = re.findall(r'^    "(.*)";$', file["content"], re.MULTILINE)
    assert any(re.match(pattern, name) for pattern in patterns) == left_alone


def test_unattended_upgrades_may_be_let_in():
    file = driver_plan(debian("a100"), {"unattended_upgrades_enabled": True})["package_files"][-1]
    assert file == {"path": "/etc/apt/apt.conf.d/52gpufleet-nvidia", "state": "absent"}


def test_absent_names_what_is_installed_and_takes_every_file_away():
    packages = [package("nvidia-kernel-dkms", "1"), package("libcuda1", "1"), package("nvidia-container-toolkit", "1")]
    plan = driver_plan(debian("a100", driver=driver(packages=packages)), {"state": "absent", "version": "550.1.1"})
    assert codes(plan) == []
    assert plan["packages"] == ["nvidia-kernel-dkms", "libcuda1"]
    assert plan["nvml_packages"] == ["python3-pynvml"]
    present = driver_plan(debian("a100"), {})
    signing = {"path": "/etc/dkms/framework.conf.d/gpufleet.conf"}  # present only where the kernel asks for signatures
    for kind, further in (("module_files", []), ("package_files", [signing])):
        assert plan[kind] == [{"path": row["path"], "state": "absent"} for row in [*present[kind], *further]]


def test_absent_needs_no_gpu_and_no_kernel():
    assert codes(driver_plan(debian(kernel=kernel(RUNNING, running="x")), {"state": "absent"})) == []


OURS = "/etc/apt/sources.list.d/gpufleet-nvidia.sources"
NEEDED = ("contrib", "non-free", "non-free-firmware")


def _repository(repositories, **wants):
    plan = driver_plan(debian("a100", repositories=repositories), wants)
    return plan["repository"], plan["package_files"][0], codes(plan)


def test_only_missing_components_are_enabled_with_the_hosts_own_key_and_address():
    repository, file, errors = _repository(archive("bookworm", "contrib"))
    assert errors == [] and file == repository
    assert repository["content"].count("Components: non-free non-free-firmware\n") == 2
    assert "URIs: https://archive.example.org/debian-security\nSuites: bookworm-security\n" in repository["content"]
    assert repository["content"].count("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n") == 2


def test_our_own_file_does_not_make_itself_superfluous():
    first, _file, _errors = _repository(archive("bookworm"))
    second, _file, _errors = _repository([*archive("bookworm"), *archive("bookworm", *NEEDED, file=OURS)])
    assert first == second


def test_nothing_is_written_where_all_is_enabled():
    repository, file, errors = _repository(archive("bookworm", *NEEDED))
    assert (repository, file, errors) == (None, {"path": OURS, "state": "absent"}, [])


def test_a_component_enabled_in_another_file_counts():
    extra = [{**row, "components": list(NEEDED), "file": "/etc/apt/sources.list"} for row in archive("bookworm")]
    assert _repository([*archive("bookworm"), *extra])[0] is None


def test_no_signed_by_is_invented():
    rows = [{**row, "signed_by": None} for row in archive("bookworm")]
    assert "Signed-By" not in _repository(rows)[0]["content"]


def test_an_embedded_key_is_copied_as_it_is():
    key = "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----"
    rows = [{**row, "signed_by": key} for row in archive("bookworm")[:1]]
    lines = _repository(rows)[0]["content"].splitlines()
    assert lines[-5:] == [
        "Signed-By:",
        " -----BEGIN PGP PUBLIC KEY BLOCK-----",
        " .",
        " abc",
        " -----END PGP PUBLIC KEY BLOCK-----",
    ]


def test_suites_that_the_host_does_not_use_are_left_alone():
    content = _repository(archive("bookworm")[:1])[0]["content"]
    assert "Suites: bookworm\n" in content and "-updates" not in content


def test_a_host_without_its_archive_is_refused():
    assert _repository([])[2] == ["repository_unknown"]
    assert _repository(archive("trixie"))[2] == ["repository_unknown"]
