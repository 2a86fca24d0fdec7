"""The table of a fleet."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_table import stack_rows, stack_table
from tests.unit.golden.hosts import driver, host

GUEST = host("ubuntu-22.04", "p40", place="vgpu_guest", driver={**driver(), "loaded": {"version": "525.105.17"}})


def table(**hosts):
    return stack_table({name: {"stack": value, "error": None} for name, value in hosts.items()})


def test_a_row_says_all_of_a_host_in_words_that_are_on_the_box():
    lines = table(old=stack(host("debian-13", "p40", "p40", "gtx750ti"), {"cuda": "auto", "nccl": "auto"}))
    assert lines[0].split() == ["host", "GPUs", "driver", "CUDA", "NCCL", "vLLM", "verdict"]
    assert set(lines[1]) == {"-", " "}
    for words in (
        "old",
        "2 x Tesla P40, GeForce GTX 750 Ti",
        "550 proprietary package",
        "12.4 distribution",
        "2.22.3-1-1",
    ):
        assert words in lines[2]
    assert lines[2].endswith("ok")


def test_columns_are_aligned_for_every_host():
    lines = table(
        a=stack(host("debian-12", "p40"), {}), much_longer=stack(host("arch", "h200", "h200"), {"cuda": "auto"})
    )
    starts = [lines[row].index(word) for row, word in ((0, "driver"), (2, "535"), (3, "open"))]
    assert starts[0] == starts[1]
    assert "- (up to 12.9)" in lines[2]


def test_errors_are_counted_and_their_sentences_stand_below():
    result = stack(host("debian-12", "p40"), {"vllm": "0.11", "cud": 1})
    lines = table(bad=result)
    assert "2 errors" in lines[2]
    below = "\n".join(lines[3:])
    for row in result["findings"]:
        assert f"{row['severity']}: {row['text']}" in below


def test_the_reasons_stand_below_and_not_what_nobody_asked_for():
    below = table(one=stack(host("debian-12", "p40"), {}))[3:]
    assert any("Branch 535" in line for line in below)
    assert not any("Nothing asks for" in line for line in below)


def test_a_guest_shows_its_fixed_driver():
    assert "525.105.17 vGPU guest" in table(g=stack(GUEST, {}))[2]


def test_a_host_without_facts_is_named_and_not_dropped():
    lines = stack_table({"gone": {"stack": None, "error": "Connection refused"}, "odd": {}})
    assert "no plan" in lines[2] and "no plan" in lines[3]
    assert "  error: Connection refused" in lines
    assert any("odd" in line for line in lines[4:])


def test_rows_for_the_next_job_have_the_cells_of_the_table_and_what_is_in_the_way():
    refused = stack(host("debian-12", "p40"), {"driver_branch": 9999})
    rows = stack_rows({"good": {"stack": stack(host("debian-12", "p40"), {})}, "bad": {"stack": refused}})
    assert set(rows["good"]) == {"gpus", "driver", "cuda", "nccl", "vllm", "verdict", "errors"}
    assert rows["good"]["gpus"] == "Tesla P40" and rows["good"]["errors"] == []
    assert rows["bad"]["errors"] and all("9999" in text for text in rows["bad"]["errors"][:1])


def test_a_host_without_a_plan_has_its_reason_in_its_row():
    rows = stack_rows({"gone": {"stack": None, "error": "unreachable"}})
    assert rows["gone"]["verdict"] == "no plan" and rows["gone"]["errors"] == ["unreachable"]
