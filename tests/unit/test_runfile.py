"""The module on a host made of dictionaries: what is run, what is refused before, and what a failure leaves."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.runfile_hosts import (
    FOLDER,
    KERNEL,
    OTHER,
    RunfileHost,
    checksum,
    cuda_file,
    cuda_name,
    driver_file,
    driver_name,
    params,
)
from tests.unit.test_driver import module_file

OLD, NEW = "535.261.03", "535.274.02"


def from_url(version, suffix="", **given):
    data, name = driver_file(version, suffix), driver_name(version, suffix)
    kind = {"": "driver", "-grid": "grid"}[suffix]
    return params(kind=kind, src=f"https://example.com/{name}", sha256=checksum(data), **given)


def cuda_from_url(version, **given):
    src = f"https://example.com/{cuda_name(version)}"
    return params(kind="cuda", src=src, sha256=checksum(cuda_file(version)), **given)


def serving(*more, **given):
    served = {f"/served/{driver_name(version)}": driver_file(version) for version in (OLD, NEW)}
    served[f"/served/{driver_name(NEW, '-grid')}"] = driver_file(NEW, "-grid")
    served.update({f"/served/{cuda_name(version)}": cuda_file(version) for version in ("12.6.2", "12.6.3")})
    return RunfileHost({**served, **dict(more)}, **given)


def go(host, wish, apply=True):
    return ensure(wish, host, host.fetch, apply=apply)


def test_a_driver_is_fetched_checked_and_installed():
    host = serving()
    result = go(host, from_url(OLD, dkms=False, module_type="open"))
    assert result["changed"] and result["version"] == OLD and result["kind"] == "driver"
    assert result["steps"] == [f"Download {driver_name(OLD)}", f"Install a driver {OLD}"]
    check, install = [argv for argv in host.ran if argv[0] == "sh"]
    assert check[2:] == ["--check"]
    assert install[2:] == [
        "--silent",
        "--no-dkms",
        "--no-disable-nouveau",
        "--kernel-module-build-directory=kernel-open",
        "--tmpdir=/var/tmp",
    ]


def test_a_second_run_asks_nobody_anything():
    host = serving()
    go(host, from_url(OLD))
    host.ran.clear()
    host.fetched.clear()
    result = go(host, from_url(OLD))
    assert not result["changed"] and result["version"] == OLD
    assert host.ran == [] and host.fetched == []


@pytest.mark.parametrize("wish", [from_url(OLD), cuda_from_url("12.6.3")])
def test_check_mode_plans_everything_and_touches_nothing(wish):
    host = serving()
    files = dict(host.files)
    result = go(host, wish, apply=False)
    assert result["changed"] and len(result["steps"]) == 2
    assert host.files == files and host.fetched == [] and host.installers() == []
    applied = go(host, wish)
    assert applied["steps"] == result["steps"]
    assert applied["diff"]["before"] == result["diff"]["before"]
    assert applied["diff"]["after"]["version"] == result["diff"]["after"]["version"]


def test_the_predicted_diff_of_a_flavour_that_was_asked_for_is_the_true_one():
    host = serving()
    wish = from_url(OLD, module_type="open")
    assert go(host, wish, apply=False)["diff"] == go(host, wish)["diff"]


def test_an_upgrade_keeps_the_new_file_and_forgets_the_old_one():
    host = serving()
    go(host, from_url(OLD))
    result = go(host, from_url(NEW))
    assert f"in the place of a driver {OLD}" in result["steps"][-1]
    assert host.entries(FOLDER) == [driver_name(NEW), "installed.json"]


def test_another_kind_of_the_same_version_replaces():
    host = serving()
    go(host, from_url(NEW))
    assert go(host, from_url(NEW, "-grid"))["kind"] == "grid"
    assert not go(host, from_url(NEW, "-grid"))["changed"]


def test_another_flavour_of_the_same_version_replaces():
    host = serving()
    go(host, from_url(NEW, module_type="proprietary"))
    result = go(host, from_url(NEW, module_type="open"))
    assert "with open kernel modules instead of proprietary" in result["steps"][-1]
    assert not go(host, from_url(NEW, module_type="open"))["changed"]
    assert not go(host, from_url(NEW))["changed"]


def test_a_new_kernel_gets_modules_and_nothing_else_moves():
    host = serving(kernels=(KERNEL, OTHER))
    go(host, from_url(OLD, dkms=False))
    result = go(host, from_url(OLD, dkms=False, kernels=[KERNEL, OTHER]))
    assert result["steps"][-1] == f"Build the {OLD} kernel modules for {OTHER}"
    assert host.installers()[-1][-2:] == [f"--kernel-name={OTHER}", "--kernel-modules-only"]
    assert not go(host, from_url(OLD, dkms=False, kernels=[KERNEL, OTHER]))["changed"]


def test_a_driver_that_dkms_has_lost_is_registered_anew_where_its_sources_are():
    host = serving()
    go(host, from_url(OLD, dkms=False))
    host.files[f"/usr/src/nvidia-{OLD}/dkms.conf"] = ""
    lost = [path for path in host.files if path.startswith("/lib/modules") and ".ko" in path]
    for path in lost:
        del host.files[path]
    installers = len(host.installers())
    host._which.add("dkms")
    with pytest.raises(NvidiaError, match="could not be built"):
        go(host, from_url(OLD, dkms=True))
    assert ["dkms", "install", "-m", "nvidia", "-v", OLD, "-k", KERNEL] in host.ran
    assert go(host, from_url(OLD, dkms=False))["changed"] and len(host.installers()) == installers + 1


class Registered(RunfileHost):
    """Its installer registers what it lays with DKMS, as NVIDIA's does; DKMS does as it is told."""

    def __init__(self, *args, **given):
        super().__init__(*args, **given)
        self._which.add("dkms")
        self.refuses = False

    def _driver_installer(self, argv, text):
        version = text.decode().split("version_string=")[1].split("\n")[0]
        done = super()._driver_installer(argv, text)
        if done.rc == 0 and "--dkms" in argv:
            self.files.pop(f"/lib/modules/{KERNEL}/kernel/drivers/video/nvidia.ko")
            self.files[f"/usr/src/nvidia-{version}/dkms.conf"] = ""
            self.register(version)
        return done

    def register(self, version):
        self.files[f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko"] = module_file(version)
        self.files[f"/var/lib/dkms/nvidia/{version}/source/dkms.conf"] = ""
        self.links[f"/var/lib/dkms/nvidia/kernel-{KERNEL}-x86_64"] = f"{version}/{KERNEL}/x86_64"

    def forget(self, *more):
        gone = ("/var/lib/dkms/", *more)
        self.files = {path: data for path, data in self.files.items() if not path.startswith(gone)}
        self.links.clear()
        self.ran.clear()

    def _dkms(self, argv):
        if self.refuses:
            return Result(10, "", "Bad return status for module build")
        self.register(argv[argv.index("-v") + 1])
        return Result(0, "", "")

    def _depmod(self, argv):
        return Result(0, "", "")

    def programs(self):
        return [argv for argv in self.ran if argv[0] == "dkms" or "sh" in argv[0]]


def registered(version=OLD, **given):
    host = Registered({f"/served/{driver_name(version)}": driver_file(version)}, **given)
    assert go(host, from_url(version, dkms=True))["diff"]["after"]["dkms"] == [KERNEL]
    assert not go(host, from_url(version, dkms=True))["changed"]
    return host


def test_a_registration_that_dkms_has_lost_comes_back_and_the_driver_is_left():
    host = registered()
    host.forget()
    assert not go(host, from_url(OLD, dkms=False), apply=False)["changed"]
    predicted = go(host, from_url(OLD, dkms=True), apply=False)
    assert predicted["steps"] == [f"Have DKMS install its {OLD} kernel modules for {KERNEL}"]
    assert (predicted["diff"]["before"]["dkms"], predicted["diff"]["after"]["dkms"]) == ([], [KERNEL])
    assert host.programs() == []
    assert go(host, from_url(OLD, dkms=True)) == predicted
    assert host.programs() == [["dkms", "install", "-m", "nvidia", "-v", OLD, "-k", KERNEL, "--force"]]
    assert not go(host, from_url(OLD, dkms=True))["changed"]


def test_modules_that_dkms_knows_and_that_are_gone_come_back_from_it():
    host = registered()
    del host.files[f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko"]
    host.ran.clear()
    assert go(host, from_url(OLD, dkms=True))["changed"]
    assert host.installers() == [] and host.ran[-1][-1] == "--force"
    assert not go(host, from_url(OLD, dkms=True))["changed"]


def test_a_build_that_fails_leaves_the_driver_as_it_is():
    host = registered()
    host.forget()
    host.refuses, before = True, dict(host.files)
    with pytest.raises(NvidiaError, match="could not be built"):
        go(host, from_url(OLD, dkms=True))
    assert host.files == before


@pytest.mark.parametrize("gone", [("/usr/src/",), ("/usr/src/", "/lib/modules/6.1.0-50-amd64/updates")])
def test_a_driver_without_its_sources_is_installed_again(gone):
    host = registered()
    host.forget(*gone)
    result = go(host, from_url(OLD, dkms=True))
    assert "the sources that DKMS builds it from are gone" in result["steps"][-1] and len(host.installers()) == 1
    assert not go(host, from_url(OLD, dkms=True))["changed"]
    assert not [path for path in host.files if "gpufleet-before" in path]


def test_a_registration_without_sources_does_not_stay_in_the_way():
    host = registered()
    del host.files[f"/usr/src/nvidia-{OLD}/dkms.conf"]
    del host.files[f"/var/lib/dkms/nvidia/{OLD}/source/dkms.conf"]
    host.links[f"/var/lib/dkms/nvidia/{OLD}/source"] = f"/usr/src/nvidia-{OLD}"
    host.files[f"/var/lib/dkms/nvidia/{OLD}/{KERNEL}/x86_64/module/nvidia.ko"] = module_file(OLD)
    host.ran.clear()
    assert go(host, from_url(OLD, dkms=True))["changed"]
    assert ["rm", "-rf", "--one-file-system", f"/var/lib/dkms/nvidia/{OLD}"] in host.ran


def test_where_installing_again_fails_the_modules_are_back_in_their_place():
    host = registered()
    host.forget("/usr/src/")
    before = {path: data for path, data in host.files.items() if path.startswith("/lib/modules")}
    host.fails = {(OLD, "early")}
    with pytest.raises(NvidiaError, match=rf"The driver {OLD} that was there is untouched"):
        go(host, from_url(OLD, dkms=True))
    assert {path: data for path, data in host.files.items() if path.startswith("/lib/modules")} == before


def test_an_installer_that_registers_nothing_is_not_believed():
    host = serving()
    host._which.add("dkms")
    with pytest.raises(NvidiaError, match="has not registered it with DKMS"):
        go(host, from_url(OLD, dkms=True))
    assert host.exists("/usr/bin/nvidia-uninstall")


def test_a_failure_before_anything_leaves_the_old_driver_and_says_why():
    host = serving(fails=[(NEW, "early")])
    go(host, from_url(OLD))
    with pytest.raises(NvidiaError) as failure:
        go(host, from_url(NEW))
    told = str(failure.value)
    assert "ERROR: Unable to find the kernel source tree." in told and "Install the headers" in told
    assert "Please see" not in told
    assert f"The driver {OLD} that was there is untouched." in told
    assert not go(host, from_url(OLD))["changed"]


def test_a_failure_after_the_old_driver_is_gone_brings_it_back():
    host = serving(fails=[(NEW, "late")])
    go(host, from_url(OLD, module_type="open"))
    with pytest.raises(NvidiaError, match="was installed again from"):
        go(host, from_url(NEW))
    assert not go(host, from_url(OLD, module_type="open"))["changed"]


def test_without_the_old_file_the_message_says_what_to_do():
    host = serving(fails=[(NEW, "late")])
    go(host, from_url(OLD, keep_file=False))
    with pytest.raises(NvidiaError, match=f"install {OLD} again by naming its file"):
        go(host, from_url(NEW))


def test_a_failed_first_installation_leaves_nothing():
    host = serving(fails=[(NEW, "late")])
    with pytest.raises(NvidiaError, match="there is no driver, as before"):
        go(host, from_url(NEW))
    assert not host.exists("/usr/bin/nvidia-installer")


def test_a_log_of_an_earlier_run_explains_nothing():
    host = serving()
    host.files["/var/log/nvidia-installer.log"] = "ERROR: of last year\n"
    host._driver_installer = lambda argv, text: Result(1, "", "sh: cannot unpack")
    with pytest.raises(NvidiaError) as failure:
        go(host, from_url(NEW))
    assert "last year" not in str(failure.value) and "sh: cannot unpack" in str(failure.value)


def test_an_installer_that_says_all_is_well_is_not_believed():
    host = serving()
    host._driver_installer = lambda argv, text: Result(0, "", "")
    with pytest.raises(NvidiaError, match="exit status was 0, but the driver is not there"):
        go(host, from_url(NEW))


def test_packages_of_a_driver_are_refused_by_name():
    status = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\n\n"
    rows = [("nvidia-linux-grid-535", "nvidia-linux-grid-535"), ("libcuda1", "nvidia-graphics-drivers")]
    for name, source in rows:
        status += (
            f"Package: {name}\nStatus: install ok installed\nSource: {source}\nVersion: 1\nArchitecture: amd64\n\n"
        )
    host = serving(("/var/lib/dpkg/status", status))
    with pytest.raises(NvidiaError, match="libcuda1, nvidia-linux-grid-535") as failure:
        go(host, from_url(NEW), apply=False)
    assert "driver_packages" in str(failure.value)
    assert go(host, from_url(NEW, packages_removed=True), apply=False)["changed"]
    with pytest.raises(NvidiaError, match="Packages bring a driver"):
        go(host, from_url(NEW, packages_removed=True))
    assert go(host, cuda_from_url("12.6.3"))["changed"], "CUDA goes beside packaged drivers"


def test_a_driver_is_removed_once():
    host = serving()
    go(host, from_url(OLD))
    assert go(host, params(kind="driver", state="absent"))["steps"] == [f"Uninstall a driver {OLD}"]
    assert host.entries(FOLDER) == ["installed.json"]
    assert not go(host, params(kind="driver", state="absent"))["changed"]


@pytest.mark.parametrize("wish", [{"kind": "grid"}, {"kind": "driver", "version": NEW}])
def test_another_kind_or_version_is_not_removed(wish):
    host = serving()
    go(host, from_url(OLD))
    assert not go(host, params(state="absent", **wish))["changed"]


def test_cuda_never_asks_for_its_driver():
    host = serving()
    result = go(host, cuda_from_url("12.6.3"))
    assert result["path"] == "/usr/local/cuda-12.6" and result["version"] == "12.6.3"
    (install,) = host.installers()
    assert "--toolkit" in install and not any(word.startswith("--driver") for word in install)
    assert not go(host, cuda_from_url("12.6.3"))["changed"]


@pytest.mark.parametrize("link", [None, "/etc/alternatives/cuda"])
def test_the_link_to_the_usual_toolkit_stays_what_it_was(link):
    host = serving(links={"/usr/local/cuda": link} if link else {})
    go(host, cuda_from_url("12.6.3"))
    assert host.link("/usr/local/cuda") == link


def test_a_toolkit_that_cannot_be_replaced_comes_back():
    host = serving(fails=[("12.6.3", "late")])
    go(host, cuda_from_url("12.6.2"))
    with pytest.raises(NvidiaError, match=r"CUDA 12\.6\.2 is back in /usr/local/cuda-12\.6"):
        go(host, cuda_from_url("12.6.3"))
    assert json.loads(host.read("/usr/local/cuda-12.6/version.json"))["cuda"]["version"] == "12.6.2"
    assert host.entries("/usr/local") == ["cuda-12.6"]
    assert not go(host, cuda_from_url("12.6.2"))["changed"]


def test_a_half_toolkit_is_removed_again():
    host = serving(fails=[("12.6.3", "late")])
    with pytest.raises(NvidiaError, match="was removed again") as failure:
        go(host, cuda_from_url("12.6.3"))
    assert "[ERROR]: copy_file: No space left on device" in str(failure.value)
    assert not host.exists("/usr/local/cuda-12.6")


def test_an_interrupted_installation_is_begun_anew():
    record = json.dumps({"begun": ["/usr/local/cuda-12.6"]})
    host = serving((f"{FOLDER}/installed.json", record), ("/usr/local/cuda-12.6/bin/nvcc", ""))
    host.files["/usr/local/cuda-12.6/version.json"] = json.dumps({"cuda": {"version": "12.6.3"}})
    result = go(host, cuda_from_url("12.6.3"))
    assert "interrupted installation left" in result["steps"][1]
    assert not go(host, cuda_from_url("12.6.3"))["changed"]


def test_an_interrupted_replacement_is_taken_back_first():
    host = serving(("/usr/local/cuda-12.6/bin/nvcc", ""), ("/usr/local/cuda-12.6.gpufleet-before/bin/nvcc", ""))
    host.files["/usr/local/cuda-12.6.gpufleet-before/version.json"] = json.dumps({"cuda": {"version": "12.6.3"}})
    for apply in (False, True):
        assert not go(host, cuda_from_url("12.6.3"), apply=apply)["changed"]
    assert host.entries("/usr/local") == ["cuda-12.6"]


def test_a_toolkit_of_packages_is_left_alone():
    host = serving(("/usr/local/cuda-12.6/bin/nvcc", ""))
    host.owned["/usr/local/cuda-12.6"] = ["cuda-nvcc-12-6", "cuda-cudart-12-6"]
    with pytest.raises(NvidiaError, match="belongs to packages: cuda-cudart-12-6, cuda-nvcc-12-6"):
        go(host, cuda_from_url("12.6.3"))


def test_a_date_in_the_place_of_the_update_is_update_0():
    told = json.dumps({"cuda": {"version": "12.6.20240801"}})
    host = serving(("/usr/local/cuda-12.6/bin/nvcc", ""), ("/usr/local/cuda-12.6/version.json", told))
    assert not go(host, cuda_from_url("12.6.0"))["changed"]


def test_what_is_no_toolkit_is_neither_replaced_nor_removed():
    host = serving(("/srv/data/precious", ""))
    with pytest.raises(NvidiaError, match="is there and is no CUDA toolkit"):
        go(host, cuda_from_url("12.6.3", toolkit_path="/srv/data"))
    with pytest.raises(NvidiaError, match="is no CUDA toolkit; it is left alone"):
        go(host, params(kind="cuda", state="absent", toolkit_path="/srv/data"))
    assert host.exists("/srv/data/precious")


def test_a_toolkit_is_removed_once_with_what_its_uninstaller_leaves():
    host = serving()
    go(host, cuda_from_url("12.6.3"))
    host.files["/usr/local/cuda-12.6/leftover"] = ""
    host.links["/usr/local/cuda"] = "/usr/local/cuda-12.6"
    assert go(host, params(kind="cuda", state="absent", version="12.6"))["changed"]
    assert not host.exists("/usr/local/cuda-12.6") and not host.exists("/usr/local/cuda")
    assert not go(host, params(kind="cuda", state="absent", version="12.6"))["changed"]


def test_a_wrong_file_is_refused_before_a_line_of_it_runs():
    host = serving()
    wish = {**from_url(NEW), "sha256": "0" * 64}
    with pytest.raises(NvidiaError, match="is not the file that was asked for"):
        go(host, wish)
    assert not [argv for argv in host.ran if argv[0] == "sh"]
    assert host.entries(FOLDER) == []


def test_a_damaged_file_is_refused_by_its_own_check():
    host = serving(damaged=[f"{FOLDER}/{driver_name(NEW)}"])
    with pytest.raises(NvidiaError, match="fails its own --check: Error in checksums"):
        go(host, from_url(NEW))
    assert host.installers() == [] and host.entries(FOLDER) == []


def test_a_file_of_another_kind_than_its_name_is_refused():
    host = serving((f"/srv/{driver_name(NEW, '-grid')}", driver_file(NEW)))
    wish = params(
        kind="grid", src=f"/srv/{driver_name(NEW, '-grid')}", remote_src=True, sha256=checksum(driver_file(NEW))
    )
    with pytest.raises(NvidiaError, match="is a driver, and kind is grid"):
        go(host, wish, apply=False)
    assert not [argv for argv in host.ran if argv[0] == "sh"]


def test_a_full_disk_is_told_before_the_start():
    host = serving(free=1000)
    with pytest.raises(NvidiaError, match="There is no room to unpack and install"):
        go(host, from_url(NEW))
    assert host.installers() == []


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"kernels": ["9.9.9"]}, "has no kernel 9.9.9"),
        ({"dkms": True}, "the program dkms is not there"),
        ({"signing_key": "/k", "signing_certificate": "/c"}, "signing_key is /k, and there is no such file"),
    ],
)
def test_what_the_host_lacks_is_told_before_the_start(wish, told):
    host = serving()
    with pytest.raises(NvidiaError, match=told):
        go(host, from_url(NEW, **wish))
    assert host.installers() == []


def test_a_file_on_the_host_tells_its_version_itself():
    host = serving(("/srv/driver.run", driver_file(NEW)))
    wish = params(kind="driver", src="/srv/driver.run", remote_src=True, sha256=checksum(driver_file(NEW)))
    result = go(host, wish)
    assert result["version"] == NEW and result["steps"] == [f"Install a driver {NEW}"]
    assert host.exists("/srv/driver.run") and host.exists(f"{FOLDER}/driver.run")
    assert not go(host, wish)["changed"]


def test_a_file_on_the_controller_is_asked_for_only_when_it_is_needed():
    data = driver_file(NEW)
    wish = params(kind="driver", src=f"files/{driver_name(NEW)}", sha256=checksum(data))
    host = serving()
    assert go(host, wish, apply=False)["steps"][0] == f"Transfer {driver_name(NEW)}"
    assert go(host, wish) == {"transfer": True}
    host.files["/tmp/ansible/file"] = data
    assert go(host, {**wish, "transferred": "/tmp/ansible/file"})["changed"]
    assert "transfer" not in go(host, wish) and not go(host, wish)["changed"]


def test_a_loaded_module_of_another_version_wants_a_reboot():
    host = serving(("/sys/module/nvidia/version", f"{OLD}\n"))
    assert f"The loaded module is {OLD}, the installed driver {NEW}" in go(host, from_url(NEW))["reboot_hint"]
