"""Models arrive whole or not at all; the program that fetches runs as a process, on stand-ins of the libraries."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model_files import RECORD

TOKEN = "hf_s3cret"
STAND_IN = Path(__file__).parent / "hub_library_stand_in.py"


def safetensors(length: int, fill: bytes = b"x") -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    return struct.pack("<Q", len(header)) + header + fill * length


class Host(ModuleSystem):
    """This machine, with a hub in a folder; what is run is kept."""

    def __init__(self, root: Path):
        with patch_module_args({}):
            super().__init__(AnsibleModule({}))
        self.root, self.hangs = root, False
        self.ran: list[tuple[list[str], dict[str, str]]] = []
        self.libraries = root / "libraries"
        modelscope = self.libraries / "modelscope" / "hub"
        modelscope.mkdir(parents=True)
        for place in (
            self.libraries / "huggingface_hub.py",
            modelscope / "snapshot_download.py",
            modelscope / "api.py",
        ):
            shutil.copyfile(STAND_IN, place)
        shutil.copyfile(STAND_IN, self.libraries / "modelscope_hub.py")
        for revision, text in (("r1", b"a"), ("r2", b"b")):
            folder = root / "hub" / "acme" / "tiny" / revision
            (folder / "sub").mkdir(parents=True)
            (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "revision": revision}))
            (folder / "model.safetensors").write_bytes(safetensors(2000, text))
            (folder / "sub" / "same.json").write_text("{}")
            (folder / "pytorch_model.bin").write_bytes(b"the same weights again")
        (root / "hub" / "acme" / "tiny" / "r1" / "gone_in_r2.txt").write_text("old")
        (root / "hub" / "acme" / "tiny" / "main").symlink_to("r1")

    @property
    def hub(self) -> Path:
        return self.root / "hub"

    def run(self, argv, timeout=30, data=None, env=None):
        self.ran.append((list(argv), dict(env or {})))
        if self.hangs and argv[0] == sys.executable:
            raise CommandTimeout(argv, timeout)
        more = {"PYTHONPATH": str(self.libraries), "HUB": str(self.hub)} if argv[0] == sys.executable else {}
        return super().run(argv, timeout, data, {**(env or {}), **more})

    def asked(self) -> list[str]:
        book = self.hub / "asked"
        lines = book.read_text().splitlines() if book.exists() else []
        book.unlink(missing_ok=True)
        return lines

    def go(self, *, apply=True, model=None, **given):
        return ensure(self.params(model, **given), self, apply=apply)

    def params(self, model=None, **given):
        row: dict = {
            "name": "acme/tiny",
            "source": "huggingface",
            "revision": None,
            "path": None,
            "sha256": {},
            "files": [],
        }
        base = {
            "models": [{**row, **(model or {})}], "folder": str(self.root / "models"), "python": sys.executable,
            "token": None, "modelscope_token": None, "endpoint": None, "modelscope_endpoint": None, "offline": False,
            "refresh": False, "verify": False, "timeout": 60,
        }  # fmt: skip
        return {**base, **given}

    @property
    def place(self) -> Path:
        return self.root / "models" / "acme" / "tiny"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_the_first_run_fetches_and_tells_what_the_plan_wants_to_know(host):
    result = host.go()
    row = result["models"]["acme/tiny"]
    assert result["changed"] and row["exists"] and row["missing"] == [] and row["revision"] == "commit-r1"
    assert row["path"] == str(host.place) and row["config"] == {"model_type": "qwen2", "revision": "r1"}
    assert row["bytes"] == len(safetensors(2000))
    record = json.loads((host.place / RECORD).read_text())
    assert set(record["files"]) == {"config.json", "model.safetensors", "sub/same.json", "gone_in_r2.txt"}
    assert all(len(row["sha256"]) == 64 for row in record["files"].values())
    assert not list(host.place.parent.glob(".*"))
    assert "fetched, 4 files" in Path(result["log"]).read_text()


def test_a_second_run_asks_no_hub_and_runs_no_python(host):
    host.go()
    host.asked()
    host.ran.clear()
    result = host.go(offline=True, python=None)
    assert not result["changed"] and host.asked() == [] and {argv[0] for argv, _data in host.ran} == {"find"}
    assert result["diff"]["before"] == result["diff"]["after"]


def test_check_mode_says_what_the_run_does_and_touches_nothing(host):
    told = host.go(apply=False, python="/nowhere/python")
    assert not (host.root / "models").exists() and host.asked() == []
    assert told["models"]["acme/tiny"] == {"path": str(host.place)}
    done = host.go()
    assert told["steps"] == done["steps"] and told["diff"] == done["diff"] and told["changed"]


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
def test_another_revision_replaces_the_folder_and_fetches_what_changed(host, source):
    host.go(model={"source": source})
    reader = open(host.place / "model.safetensors", "rb")  # noqa: SIM115 a server that has the old one open
    host.asked()
    result = host.go(model={"source": source, "revision": "r2"})
    assert result["models"]["acme/tiny"]["config"]["revision"] == "r2"
    fetched = [line for line in host.asked() if line.startswith("file")]
    assert fetched == ["file config.json", "file model.safetensors"], "what is the same is not fetched again"
    assert not (host.place / "gone_in_r2.txt").exists() and reader.read() == safetensors(2000, b"a")
    reader.close()
    assert not host.go(model={"source": source, "revision": "r2"})["changed"]


def test_the_older_library_of_modelscope_is_asked_its_own_way(host):
    (host.libraries / "modelscope_hub.py").write_text("raise ImportError")
    result = host.go(model={"source": "modelscope"})
    assert result["models"]["acme/tiny"]["revision"].startswith("files-") and "ModelScope" in result["steps"][0]


def test_a_branch_stays_where_it_was_until_a_refresh(host):
    branch = {"revision": "main"}
    host.go(model=branch)
    (host.hub / "acme/tiny/main").unlink()
    (host.hub / "acme/tiny/main").symlink_to("r2")
    assert not host.go(model=branch)["changed"]
    assert host.go(model=branch, refresh=True, apply=False)["changed"]
    assert host.go(model=branch, refresh=True)["models"]["acme/tiny"]["revision"] == "commit-r2"
    assert not host.go(model=branch, refresh=True)["changed"]


def test_a_download_that_breaks_off_leaves_the_old_model_and_goes_on_later(host):
    host.go()
    (host.hub / "stops_after").write_text("config.json")
    with pytest.raises(NvidiaError, match="Check proxy, name resolution") as failure:
        host.go(model={"revision": "r2"})
    assert f"Log: {host.root}/models/.gpufleet/download.log" in str(failure.value)
    assert json.loads((host.place / "config.json").read_text())["revision"] == "r1"
    assert not host.go(offline=True)["changed"]
    (host.hub / "stops_after").unlink()
    host.asked()
    host.go(model={"revision": "r2"})
    assert "file config.json" not in host.asked()


def test_what_lacks_or_was_cut_is_fetched_again_and_nothing_else(host):
    host.go()
    (host.place / "model.safetensors").write_bytes(b"cut")
    (host.place / "sub/same.json").unlink()
    assert host.go(apply=False)["steps"][0].endswith("as model.safetensors, sub/same.json lack")
    host.asked()
    result = host.go()
    assert [line for line in host.asked() if line.startswith("file")] == [
        "file model.safetensors",
        "file sub/same.json",
    ]
    assert result["models"]["acme/tiny"]["missing"] == []


def test_a_changed_byte_is_found_by_verify_alone(host):
    host.go()
    data = (host.place / "model.safetensors").read_bytes()
    (host.place / "model.safetensors").write_bytes(data[:-1] + b"?")
    assert not host.go()["changed"]
    assert "model.safetensors changed on the disk" in host.go(verify=True)["steps"][0]
    assert (host.place / "model.safetensors").read_bytes() == data
    assert not host.go(verify=True)["changed"]


def test_a_checksum_that_does_not_fit_keeps_the_model_away(host):
    with pytest.raises(NvidiaError, match=r"config\.json has [0-9a-f]{64}, and sha256 says aaaa"):
        host.go(model={"sha256": {"config.json": "a" * 64}})
    assert not host.place.exists()
    (host.hub / "claims").write_text("b" * 64)
    with pytest.raises(NvidiaError, match=r"model\.safetensors has [0-9a-f]{64}, and the hub says bbbb"):
        host.go()
    with pytest.raises(NvidiaError, match=r"sha256 names nothing\.json"):
        (host.hub / "claims").unlink()
        host.go(model={"sha256": {"nothing.json": "a" * 64}})


def test_patterns_choose_files(host):
    host.go(model={"files": ["*.json"]})
    assert sorted(path.name for path in host.place.glob("[a-z]*")) == ["config.json", "sub"]
    assert host.go(model={"files": []})["changed"]
    with pytest.raises(NvidiaError, match=r"none of 5 files is one of \*\.gguf"):
        host.go(model={"files": ["*.gguf"], "path": str(host.root / "models/other")})


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
def test_a_token_stands_on_no_command_line_in_no_environment_and_in_no_file(host, source):
    (host.hub / "token").write_text(TOKEN)
    given = {"token" if source == "huggingface" else "modelscope_token": TOKEN}
    host.go(model={"source": source}, **given)
    assert TOKEN not in json.dumps(host.ran)
    for path in (host.root / "models").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    (host.hub / "token").write_text("another")
    with pytest.raises(NvidiaError) as failure:
        host.go(model={"source": source, "revision": "r2"}, **given)
    assert TOKEN not in str(failure.value) and "*** is no token" in str(failure.value)
    assert TOKEN not in (host.root / "models/.gpufleet/download.log").read_text()


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("GatedRepoError", "Accept the model's terms"),
        ("RepositoryNotFoundError", "Check the name of the model"),
        ("RevisionNotFoundError", "Check the revision"),
        ("ConnectError", "Check proxy"),
        ("RuntimeError", "RuntimeError: the hub says no"),
    ],
)
def test_refusals_of_a_hub_are_told_with_advice(host, fails, told):
    (host.hub / "fails").write_text(fails)
    if fails == "RuntimeError":
        text = (host.libraries / "huggingface_hub.py").read_text()
        (host.libraries / "huggingface_hub.py").write_text(text.replace("globals()[told", "__builtins__[told"))
    with pytest.raises(NvidiaError) as failure:
        host.go()
    assert "Model acme/tiny cannot be fetched" in str(failure.value) and told in str(failure.value)
    assert not host.place.exists()


def test_a_library_that_lacks_is_named(host):
    (host.libraries / "huggingface_hub.py").write_text("raise ImportError('no httpx')")
    with pytest.raises(NvidiaError, match=r"lacks huggingface_hub: add it to the environment's extra packages"):
        host.go()


def test_a_download_that_takes_too_long_says_how_it_goes_on(host):
    host.hangs = True
    with pytest.raises(NvidiaError, match=r"did not arrive within 60 s\. What came is kept: run again"):
        host.go()


def test_without_a_python_the_message_says_which(host):
    with pytest.raises(NvidiaError, match="set python to the interpreter"):
        host.go(python=None)
    with pytest.raises(NvidiaError, match="There is no /nowhere/python"):
        host.go(python="/nowhere/python")


def test_offline_names_all_that_would_have_to_be_fetched(host):
    rows = [host.params({"name": name})["models"][0] for name in ("acme/one", "acme/two")]
    with pytest.raises(NvidiaError, match=r"acme/one \(to .*\), acme/two \(to .*\)"):
        host.go(offline=True, models=rows)


def test_a_folder_that_was_put_there_is_taken_as_it_is_unless_a_revision_is_asked_for(host):
    shutil.copytree(host.hub / "acme/tiny/r1", host.place)
    result = host.go(python=None)
    assert not result["changed"] and result["models"]["acme/tiny"]["revision"] is None
    assert host.go(model={"revision": "r1"})["models"]["acme/tiny"]["revision"] == "commit-r1"
    assert "file model.safetensors" not in host.asked(), "what is there already is not fetched again"


def path_model(host, **files):
    folder = host.root / "mine"
    folder.mkdir()
    for name, data in {"config.json": b"{}", **files}.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return {"name": str(folder)}


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"a__safetensors": safetensors(100)}, []),
        ({"a__safetensors": safetensors(100)[:-1]}, ["a.safetensors"]),
        ({"a__safetensors": b""}, ["a.safetensors"]),
        ({"a__safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"}, ["a.safetensors"]),
        ({"a__bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"}, ["a.bin"]),
        ({"a__bin": b"weights"}, []),
        (
            {
                "a__safetensors": safetensors(9),
                "model.safetensors.index__json": b'{"weight_map": {"x": "b.safetensors"}}',
            },
            ["b.safetensors"],
        ),
        ({"model.safetensors.index__json": b"no json"}, []),
    ],
)
def test_a_path_is_looked_at_and_never_changed(host, files, missing):
    model = path_model(host, **files)
    result = host.go(model=model, python=None)
    row = result["models"][model["name"]]
    assert not result["changed"] and row["missing"] == missing and row["config"] == {} and row["exists"]


def test_a_path_that_is_not_there_is_a_fact_and_no_failure(host):
    row = host.go(model={"name": "/nowhere/model"})["models"]["/nowhere/model"]
    assert row == {
        "exists": False,
        "path": "/nowhere/model",
        "config": None,
        "missing": [],
        "bytes": 0,
        "revision": None,
    }


def test_a_path_s_checksums_are_held_against_its_files(host):
    model = path_model(host)
    good = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert not host.go(model={**model, "sha256": {"config.json": f"sha256:{good.upper()}"}})["changed"]
    with pytest.raises(NvidiaError, match=r"config\.json has another checksum.*") as failure:
        host.go(model={**model, "sha256": {"config.json": "0" * 64, "x.bin": "0" * 64}})
    assert "x.bin is not there" in str(failure.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "a/b/c"}, "no name of a model on a hub"),
        ({"name": "../x"}, "no name of a model on a hub"),
        ({"path": "relative"}, "path is relative"),
        ({"path": "/srv/../etc/x"}, "without . and .."),
        ({"path": "/srv"}, "give a whole path"),
        ({"revision": "-x"}, "give a commit, a tag or a branch"),
        ({"name": "/srv/x", "revision": "main"}, "Leave them out"),
        ({"sha256": {"a": "short"}}, "64 hexadecimal digits"),
        ({"sha256": {"../a": "0" * 64}}, "below the model's folder"),
        ({"files": [""]}, "give patterns"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_a_sentence(host, given, told):
    with pytest.raises(NvidiaError) as refused:
        host.go(model=given)
    assert told in str(refused.value) and host.ran == []


def test_models_that_get_in_each_other_s_way_are_refused(host):
    row = host.params()["models"][0]
    with pytest.raises(NvidiaError, match="is listed twice"):
        host.go(models=[row, dict(row)])
    with pytest.raises(NvidiaError, match="have one path"):
        host.go(models=[{**row, "path": "/srv/m"}, {**row, "name": "acme/two", "path": "/srv/m"}])
    with pytest.raises(NvidiaError, match=r"folder is x.*timeout is 0"):
        host.go(folder="x", timeout=0)
