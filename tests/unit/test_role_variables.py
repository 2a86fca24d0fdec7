from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.role_variables import unknown_variables

KNOWN = ["cuda_version", "cuda_method"]


def test_known_variables_give_no_finding():
    assert unknown_variables(["cuda_method", "cuda_version"], KNOWN, "cuda") == []


def test_a_misspelt_variable_is_named_with_the_nearest_known_one():
    (finding,) = unknown_variables(["cuda_verison", "cuda_method"], KNOWN, "cuda")
    assert finding["severity"] == "error"
    assert "cuda_verison" in finding["text"]
    assert "did you mean cuda_version?" in finding["text"]


def test_a_variable_like_no_other_is_named_without_a_guess():
    (finding,) = unknown_variables(["cuda_zzzzzzzzzz"], KNOWN, "cuda")
    assert "did you mean" not in finding["text"]
