"""What holds for every host and every want, whatever the tables say."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import flavours_for, gpus_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import DEFAULTS, driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import candidates
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import platform_of_method
from tests.unit.golden.hosts import CARDS, PLATFORMS, card, host

CATALOGUE = load()
BRANCHES = [None, 390, 470, 535, 550, 580, 590, 595, 615, 999]
VERSIONS = [None, "470.256.02", "535.261.03", "535.216.03", "550.163.01", "580.95.05", "nonsense", "535"]


@st.composite
def hosts(draw):
    platform = draw(st.sampled_from(sorted(PLATFORMS)))
    names = draw(st.lists(st.sampled_from(sorted(CARDS)), max_size=4))
    facts = host(platform, *names)
    facts["system"]["secure_boot"] = draw(st.sampled_from(["enabled", "disabled", "unsupported", "unknown"]))
    facts["place"] = draw(st.sampled_from(["bare_metal", "passthrough", "container", "vgpu_guest"]))
    if draw(st.booleans()):
        facts["pci"].append(card("p40", 9, device=draw(st.sampled_from(["ffff", "1b39", ""])), architecture="unknown"))
    return facts


WANTS = st.fixed_dictionaries(
    {
        "branch": st.sampled_from(BRANCHES),
        "version": st.sampled_from(VERSIONS),
        "flavour": st.sampled_from(["auto", "open", "proprietary"]),
        "graphics_enabled": st.booleans(),
        "gpu_required": st.booleans(),
        "state": st.sampled_from(["present", "present", "absent"]),
        "method": st.sampled_from(["package", "package", "repository"]),
        "kernels": st.lists(st.sampled_from(["running", "next", "installed", "6.1.0-1-amd64"]), max_size=3),
    }
)


def offered(facts, wants):
    """The platform with the offers of the wanted method; the distribution's own where it has none."""
    platform = CATALOGUE.platform(facts["system"]["distribution"], facts["system"]["version"])
    return platform_of_method(platform, wants["method"]) or platform


def errors(plan):
    return [row for row in plan["findings"] if row["severity"] == "error" and row["code"] != "platform_not_applied"]


@given(hosts(), WANTS)
def test_a_plan_without_errors_never_contradicts_the_catalogue(facts, wants):
    plan = driver_plan(facts, wants)
    if errors(plan) or plan["state"] == "absent":
        return
    platform = offered(facts, wants)
    offer = next(row for row in platform["offers"] if row["series"] == plan["series"])
    assert plan["branch"] == offer["branch"]
    assert plan["flavour"] in offer["builds"][plan["build"]]
    assert plan["packages"] and plan["kernels"]
    assert not set(plan["packages"]) & set(plan["remove"])
    branch = plan["branch"] or offer["branch_min"]
    for gpu in gpus_of(facts, CATALOGUE):
        assert plan["flavour"] in flavours_for(gpu, branch, CATALOGUE)
        rules = CATALOGUE.architectures.get(gpu.architecture, {})
        assert branch <= (rules.get("last_branch") or branch)
        assert branch >= (rules.get("first_branch") or 0) or plan["branch"] is None
    assert wants["flavour"] in ("auto", plan["flavour"])
    assert wants["branch"] in (None, plan["branch"])


@given(hosts(), WANTS)
def test_the_same_input_gives_the_same_plan_and_stays_as_it_was(facts, wants):
    before = copy.deepcopy((facts, wants))
    assert driver_plan(facts, wants) == driver_plan(facts, wants)
    assert (facts, wants) == before


@given(hosts(), WANTS, st.sampled_from(["branch", "version", "flavour"]))
def test_another_want_never_widens_the_choice(facts, wants, key):
    platform = offered(facts, wants)
    gpus = gpus_of(facts, CATALOGUE)

    def choices(asked):
        found = candidates(platform, gpus, {**DEFAULTS, **asked}, CATALOGUE)
        return {(choice.offer["series"], choice.flavour) for choice in found}

    assert choices(wants) <= choices({**wants, key: DEFAULTS[key]})


@given(hosts(), WANTS)
def test_no_driver_means_an_error_that_says_why(facts, wants):
    plan = driver_plan(facts, wants)
    if plan["state"] == "present" and not plan["packages"]:
        assert errors(plan)


@given(hosts(), WANTS)
def test_installing_the_plan_leads_to_the_same_plan(facts, wants):
    plan = driver_plan(facts, wants)
    if errors(plan) or plan["state"] == "absent":
        return
    version = plan["version"] or f"{plan['branch'] or 590}.10.01"
    packages = [
        {"name": name, "version": f"{version}-1", "state": "installed", "held": True, "source": "x"}
        for name in plan["packages"]
    ]
    after = copy.deepcopy(facts)
    after["driver"]["install"] = {"method": "packages", "packages": packages, "runfile": None}
    again = driver_plan(after, wants)
    same = ("series", "flavour", "packages", "header_packages", "module_files", "package_files", "kernels", "remove")
    assert {key: again[key] for key in same} == {key: plan[key] for key in same}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", CARDS)
def test_every_card_gets_a_driver_or_a_reason(platform, name):
    plan = driver_plan(host(platform, name), {})
    assert bool(plan["packages"]) != bool(errors(plan))
