"""What holds for the stack of every host and every want, whatever the tables say."""

from __future__ import annotations

import copy
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import flavours_for, gpus_of, supports_branch
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_choices import choices
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from tests.unit.golden.hosts import CARDS, PLATFORMS, card, driver, host, module, package

CATALOGUE = load()
RELEASES = list(CATALOGUE.cuda["releases"])
VLLM = [name for line, row in CATALOGUE.vllm.items() for name in (line, *row["versions"])]
NCCL = sorted({row["version"] for row in CATALOGUE.nccl["builds"]})
VGPU = [name for line, row in CATALOGUE.vgpu.items() for name in (line, *row["releases"])]
UPDATES = [name for row in CATALOGUE.cuda["releases"].values() for name in row["updates"]]
INSTALLED = ["470.256.02", "525.105.17", "535.261.03", "550.163.01", "580.95.05", "595.71.05", "nonsense"]


@st.composite
def hosts(draw):
    """Hosts of every kind, with whatever may be missing in their facts missing."""
    platform = draw(st.sampled_from(sorted(PLATFORMS)))
    facts = host(platform, *draw(st.lists(st.sampled_from(sorted(CARDS)), max_size=3)))
    facts["place"] = draw(st.sampled_from(["bare_metal", "bare_metal", "passthrough", "container", "vgpu_guest"]))
    if draw(st.booleans()):
        facts["pci"].append(card("p40", 9, device=draw(st.sampled_from(["ffff", "1b39", ""])), architecture="unknown"))
    version = draw(st.none() | st.sampled_from(INSTALLED))
    if version:
        names = draw(st.sampled_from([["nvidia-kernel-dkms"], ["nvidia-headless-580-server-open"], ["xyz"]]))
        row = driver(packages=[package(name, f"{version}-1") for name in names])
        facts["driver"] = {
            **row,
            "on_disk": {PLATFORMS[platform][4]: module(version, "open") if version[0].isdigit() else None},
        }
    release = draw(st.none() | st.sampled_from([*RELEASES, "99.9"]))
    if release:
        row = {"release": release, "version": None, "path": "/usr/local/x", "nvcc": "/x", "source": "repository"}
        facts["cuda"] = {"toolkits": [row], "default": draw(st.none() | st.just(row)), "packages": []}
    if draw(st.booleans()):
        name = draw(st.sampled_from(["2.23.4-1+cuda12.6", "2.28.3-1+cuda13.0", "1", ""]))
        facts["nccl"] = {"packages": [{"name": "libnccl2", "version": name, "held": True}]}
    facts["system"]["python"] = draw(st.sampled_from(["3.8", "3.11", "3.14", "", None]))
    for key in draw(st.lists(st.sampled_from(sorted(facts)), max_size=2, unique=True)):
        if draw(st.booleans()):
            del facts[key]
        else:
            facts[key] = None
    return facts


WANTS = st.fixed_dictionaries(
    {},
    optional={
        "cuda": st.sampled_from([*RELEASES, *UPDATES, "auto", "12.7", "x"])
        | st.lists(st.sampled_from([*RELEASES, "auto"]), max_size=3),
        "vllm": st.sampled_from([*VLLM, "0.99"]),
        "nccl": st.sampled_from([*NCCL, "auto", "2.0.0"]),
        "vgpu": st.sampled_from([*VGPU, "99.9"]),
        "driver_branch": st.sampled_from([390, 470, 535, 550, 580, 595, 615, 999]),
        "driver_method": st.sampled_from(["package", "repository", "runfile"]),
        "flavour": st.sampled_from(["auto", "open", "proprietary"]),
    },
)


def errors(result):
    return [row for row in result["findings"] if row["severity"] == "error" and row["code"] != "platform_not_applied"]


@given(hosts(), WANTS)
@settings(max_examples=300)
def test_a_stack_without_errors_never_contradicts_the_catalogue(facts, wants):
    result = stack(facts, wants)
    if errors(result):
        return
    plan = result["driver"]
    branch = plan["branch"]
    gpus = gpus_of(facts, CATALOGUE)
    for gpu in gpus if branch else []:
        assert supports_branch(gpu, branch, branch, CATALOGUE)
        assert plan["fixed"] or plan["flavour"] in flavours_for(gpu, branch, CATALOGUE)
    for row in result["cuda"]["releases"]:
        assert row["release"] in CATALOGUE.cuda["releases"]
        assert row["mode"] in ("full", "minor_version")
        if branch:
            assert branch >= version_key(row["floor"])[0]
        if plan["version"]:
            assert version_key(plan["version"]) >= version_key(row["floor"])
        low = CATALOGUE.cuda["releases"][row["release"]].get("compute_capabilities", {}).get("min", "0")
        for gpu in result["gpus"]:
            assert version_key(gpu["compute_capability"] or "99") >= version_key(low)
            last = CATALOGUE.architectures.get(gpu["architecture"] or "", {}).get("last_cuda_major")
            assert int(row["release"].split(".")[0]) <= (last or 99)
    if result["vllm"]["wanted"]:
        line = CATALOGUE.vllm[result["vllm"]["line"]]
        assert result["vllm"]["version"] in line["versions"]
        floor = CATALOGUE.cuda["majors"][line["cuda"].split(".")[0]]["floor"]
        assert branch is None or branch >= version_key(floor)[0]
        least = version_key(line["compute_capability"])
        known = [version_key(gpu["compute_capability"]) for gpu in result["gpus"] if gpu["compute_capability"]]
        assert len(known) < len(result["gpus"]) or not known or max(known) >= least
    if result["nccl"]["wanted"]:
        assert result["nccl"]["package"].startswith(result["nccl"]["version"])


@given(hosts(), WANTS)
@settings(max_examples=300)
def test_what_is_asked_for_is_what_comes_or_an_error_says_why(facts, wants):
    result = stack(facts, wants)
    if errors(result):
        return
    asked = wants.get("cuda", [])
    for name in [asked] if isinstance(asked, str) else asked:
        rows = [row for row in result["cuda"]["releases"] if name in (row["release"], row["update"], "auto")]
        assert rows, name
    assert "vllm" not in wants or wants["vllm"] in (result["vllm"]["version"], result["vllm"]["line"])
    assert "nccl" not in wants or wants["nccl"] in (result["nccl"]["version"], "auto")
    assert "driver_branch" not in wants or result["driver"]["branch"] == wants["driver_branch"]


@given(hosts(), WANTS)
def test_the_same_question_gets_the_same_answer_and_stays_as_it_was(facts, wants):
    before = copy.deepcopy((facts, wants))
    first = stack(facts, wants)
    first_copy = copy.deepcopy(first)
    first["findings"].append("spoilt by its reader")
    assert stack(facts, wants) == first_copy == stack(facts, wants, CATALOGUE)
    assert (facts, wants) == before
    json.dumps(first_copy)


@given(hosts(), WANTS)
def test_asking_for_what_was_chosen_chooses_the_same(facts, wants):
    result = stack(facts, wants)
    if errors(result) or result["driver"]["branch"] is None:
        return
    chosen = {**wants, "cuda": [row["update"] or row["release"] for row in result["cuda"]["releases"]]}
    chosen["driver_branch"] = result["driver"]["branch"]
    for key, value in (
        ("flavour", result["driver"]["flavour"]),
        ("nccl", result["nccl"]["version"]),
        ("vllm", result["vllm"]["version"]),
    ):
        if value:
            chosen[key] = value
    again = stack(facts, chosen)
    assert again["cuda"]["releases"] == result["cuda"]["releases"]
    assert again["nccl"] == result["nccl"]
    assert again["vllm"] == result["vllm"]
    for key in ("branch", "series", "flavour", "version", "packages"):
        assert again["driver"][key] == result["driver"][key]
    assert not errors(again)


@given(hosts(), WANTS, st.data())
@settings(max_examples=300)
def test_another_want_never_widens_the_choice(facts, wants, data):
    if not wants:
        return
    removed = data.draw(st.sampled_from(sorted(set(wants) - {"driver_method", "vgpu"}) or [None]))
    fewer = {key: value for key, value in wants.items() if key != removed}
    assert choices(facts, wants) <= choices(facts, fewer)


@given(hosts(), WANTS)
@settings(max_examples=300)
def test_what_is_chosen_is_among_the_choices(facts, wants):
    result = stack(facts, wants)
    if errors(result):
        return
    found = choices(facts, wants)
    key = (result["driver"]["series"] or "grid", result["driver"]["flavour"] or "")
    assert not result["driver"]["series"] or key in {(row.series, row.flavour) for row in found}
    releases = {row["release"] for row in result["cuda"]["releases"]}
    # one NCCL goes with one of several toolkits, so it narrows the choice of that one only
    free = choices(facts, {name: value for name, value in wants.items() if name != "nccl"})
    assert releases <= {choice.release for choice in free if (choice.series, choice.flavour) == key}
    if releases:
        assert releases & {choice.release for choice in found if (choice.series, choice.flavour) == key}


@given(hosts(), WANTS)
def test_every_finding_says_something(facts, wants):
    for row in stack(facts, wants)["findings"]:
        assert set(row) == {"severity", "code", "text", "source"}
        assert len(row["text"]) > 20 and row["code"] and row["source"]
        assert not re.search(r"\bNone\b(?! of)", row["text"]), row


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["cuda", "vllm", "nccl", "vgpu"]), JSON, max_size=4))
def test_no_want_is_an_exception(wants):
    stack(host("debian-12", "p40"), wants)


@given(hosts())
def test_an_empty_answer_is_never_without_reason(facts):
    result = stack(facts, {})
    plan = result["driver"]
    assert plan["packages"] or plan["fixed"] or errors(result)


def test_nothing_known_of_a_host_is_an_error_and_no_exception():
    assert [row["code"] for row in errors(stack({}, {"cuda": "auto", "vllm": "0.11", "nccl": "auto"}))]
    assert stack({}, {})["gpus"] == []
