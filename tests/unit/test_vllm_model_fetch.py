"""The parts of the program that fetches: which files, what an exception means, what is swept."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_fetch as program
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_files as files
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_observe as observation
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_program
from tests.unit.fake_system import FakeSystem
from tests.unit.test_vllm_model import safetensors

REPOSITORY = [
    "README.md", "config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5",
    "onnx/model.onnx", "original/consolidated.00.pth", "model-q4.gguf", "modeling_x.py",
]  # fmt: skip


def test_beside_safetensors_no_other_weights_are_fetched():
    assert files.chosen(REPOSITORY, []) == [
        "README.md", "config.json", "model.safetensors", "modeling_x.py", "tokenizer.json",
    ]  # fmt: skip


def test_without_safetensors_all_is_fetched():
    rest = [name for name in REPOSITORY if name != "model.safetensors"]
    assert files.chosen(rest, []) == sorted(rest)


def test_patterns_are_taken_by_their_word():
    assert files.chosen(REPOSITORY, ["*.gguf", "config.json"]) == ["config.json", "model-q4.gguf"]


@given(st.lists(st.text("ab/._-", min_size=1, max_size=8)), st.lists(st.text("ab*?.[", max_size=4)))
def test_only_files_that_exist_are_chosen(names, patterns):
    assert set(files.chosen(names, patterns)) <= set(names)


class Answer:
    def __init__(self, status):
        self.status_code = status


def failing(text="x", status=None, number=None, name="SomeError"):
    error = type(name, (OSError,), {})(number, text) if number else type(name, (Exception,), {})(text)
    error.response = Answer(status)
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failing(number=errno.ENOSPC), "disk"),
        (failing(status=401), "token"),
        (failing(status=403), "token"),
        (failing(name="GatedRepoError", status=403), "token"),
        (failing(status=404), "name"),
        (failing(name="RevisionNotFoundError", status=404), "revision"),
        (failing("no such Revision", status=404), "revision"),
        (failing("Max retries exceeded: Failed to resolve 'hub'"), "network"),
        (failing("read", name="ReadTimeout"), "network"),
        (failing(), "other"),
    ],
)
def test_an_exception_means_one_of_the_sentences(error, kind):
    assert program.kind_of(error) == kind


def test_half_files_that_nobody_goes_on_with_are_swept(tmp_path):
    folder = tmp_path / ".cache" / "huggingface" / "download"
    folder.mkdir(parents=True)
    dead = folder / f"abc=.{'0' * 64}.bf645b95.incomplete"
    alive = folder / f"abc=.{'0' * 64}.incomplete"
    dead.write_text("")
    alive.write_text("")
    files.sweep(str(tmp_path))
    assert alive.exists() and not dead.exists()


def test_a_disk_that_is_too_small_is_told_before_the_download(tmp_path):
    with pytest.raises(files.Refused, match="MiB are needed"):
        files.room({"folder": str(tmp_path)}, 1 << 60)


def test_a_line_of_progress_says_how_much_of_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PERIOD", 0.02)
    said: list[str] = []
    (tmp_path / "half").write_bytes(b"x" * (3 << 20))
    (tmp_path / "shared").write_bytes(b"x" * (1 << 20))
    (tmp_path / "old").hardlink_to(tmp_path / "shared")
    with files.Progress({"folder": str(tmp_path)}, 6 << 20, said.append) as progress:
        files.time.sleep(0.2)
    assert progress is None and said[0].startswith("3 of 6 MiB (50 %)") and "MiB/s" in said[0]


def test_the_program_s_text_is_what_was_tested():
    assert "def main(told):" in _vllm_program.text_of(program)


@given(st.binary(max_size=64))
def test_no_header_of_safetensors_breaks_the_look(data):
    host = FakeSystem({"/m/a.safetensors": data})
    assert observation.ends_well(host, "/m/a.safetensors", len(data)) in (True, False)


@given(st.integers(0, 200), st.integers(1, 50))
def test_a_file_that_ends_too_early_is_never_whole(length, cut):
    data = safetensors(length)[:-cut] if cut <= length else safetensors(length)[: -(length + 9)]
    host = FakeSystem({"/m/a.safetensors": data})
    assert not observation.ends_well(host, "/m/a.safetensors", len(data))
