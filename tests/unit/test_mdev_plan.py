"""The planner of virtual GPUs: documented rules as tables, and what must hold for any hosts and requests as properties.

The cards are written after NVIDIA's documentation; their type ids are of this file alone.
"""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_facts, _pci
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import describe
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_plan import mdev_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_uuid import mdev_uuid
from tests.unit.mdev_hosts import MTTY, P4, MdevHost, params, uuid

# board: (prefix, MiB, {profile: most}, is it cut through virtual functions)
BOARDS = {
    "P40": ("GRID P40", 24576, {"1Q": 24, "2Q": 12, "3Q": 8, "4Q": 6, "8Q": 3, "8A": 3, "24Q": 1}, 0),
    "L40S": ("NVIDIA L40S", 49152, {"4C": 12, "8C": 6, "16C": 3, "24C": 2, "48C": 1, "4Q": 12}, 32),
    "A100": ("NVIDIA A100", 40960, {"4C": 10, "20C": 2, "40C": 1, "1-5C": 7, "2-10C": 3, "3-20C": 2, "7-40C": 1}, 16),
}


def kinds(board):
    prefix, _memory, most, _functions = BOARDS[board]
    rows = []
    for number, (profile, count) in enumerate(most.items()):
        told = describe(f"nvidia-{100 + number}", f"{prefix}-{profile}")
        rows.append({**told, "max_instances": count})
    return rows


def card(board, address="0000:05:00.0", devices=(), sizes=None, enabled=None, series=True, functions_on=True, mig=None):
    """A card's fact, with the available instances that its driver would tell; *devices* are profiles that run there."""
    prefix, memory, _most, functions = BOARDS[board]
    rows = kinds(board)
    there = [row for profile in devices for row in rows if row["name"] == f"{prefix}-{profile}"]
    for row in rows:
        alike = {row["framebuffer_mib"]} >= {other["framebuffer_mib"] for other in there}
        room = row["max_instances"] - len(there) if alike else 0
        row["available"] = None if functions and not functions_on else 0 if row["slices"] else max(room, 0)
    parents = [f"{address[:-1]}{number}" for number in range(4, 4 + functions)] if functions_on else []
    return {
        "address": address,
        "kind": "gpu",
        "device": "1b38",
        "name": board,
        "framework": "mdev" if parents or not functions else "none",
        "parents": parents if functions else [address],
        "sriov": {"total": functions, "enabled": len(parents), "functions": parents} if functions else None,
        "heterogeneous": {"enabled": enabled, "sizes": sizes, "profiles": series},
        "mig": None if mig is None else {"current": mig, "pending": mig},
        "memory_mib": memory,
        "types": rows,
    }, [
        {
            "uuid": uuid(int(address[5:7], 16) * 1000 + number),
            "parent": parents[number] if functions else address,
            "card": address,
            "type": row["id"],
            "name": row["name"],
            "active": True,
            "open_by": [],
        }
        for number, row in enumerate(there)
    ]


def host(*cards):
    return {
        "mdev": {"cards": [row for row, _there in cards], "devices": [row for _card, there in cards for row in there]}
    }


def ask(profile, count=1, **more):
    return {"name": more.pop("name", profile), "profile": profile, "count": count, **more}


def seats(plan):
    return Counter((row["host"], row["card"], row["name"]) for row in plan["assignments"])


def test_a_p40_that_is_split_in_pieces_of_8_takes_none_of_4():
    plan = mdev_plan({"a": host(card("P40", devices=["8Q", "8Q"]))}, [ask("P40-4Q")])
    assert plan["assignments"] == []
    (row,) = plan["unplaced"]
    assert (row["count"], row["fits"], row["of"]) == (1, 0, 1)
    assert "1 x GRID P40-4Q and 2 x GRID P40-8Q" in row["reason"]
    assert "of one size at a time" in row["reason"]
    assert plan["findings"][0]["code"] == "mdev_unplaced"


@pytest.mark.parametrize(("series", "placed"), [(True, 2), (False, 1)])
def test_one_size_of_two_series_shares_a_card_where_the_driver_lets_it(series, placed):
    plan = mdev_plan({"a": host(card("P40", series=series))}, [ask("P40-8Q"), ask("P40-8A")])
    assert len(plan["assignments"]) == placed


@pytest.mark.parametrize(("version", "placed"), [("535.309.01", 1), ("550.163.02", 2), (None, 1)])
def test_the_branch_decides_on_series_where_nvml_does_not_tell(version, placed):
    facts = {**host(card("P40", series=None)), "driver": {"loaded": {"version": version}}}
    assert len(mdev_plan({"a": facts}, [ask("P40-8Q"), ask("P40-8A")])["assignments"]) == placed


def test_a_request_beyond_capacity_says_what_fits():
    plan = mdev_plan({"a": host(card("P40"))}, [ask("P40-8Q", 5)])
    assert len(plan["assignments"]) == 3
    assert "2 of 5 devices of P40-8Q (P40-8Q) have no place, 3 fit" in plan["findings"][0]["text"]
    assert "it takes 3 x GRID P40-8Q at most" in plan["findings"][0]["text"]


def test_an_unknown_profile_gets_the_nearest_names():
    plan = mdev_plan({"a": host(card("P40"))}, [ask("GRID P40-6Q")])
    assert "no card offers it; nearest are GRID P40-" in plan["unplaced"][0]["reason"]


def test_a_framebuffer_and_a_series_are_a_profile():
    plan = mdev_plan({"a": host(card("P40"))}, [{"name": "x", "framebuffer_gb": 8, "series": "A", "count": 1}])
    assert [row["name"] for row in plan["assignments"]] == ["GRID P40-8A"]


# The maxima of mixed-size mode that the documentation gives: L40S-16C 3 becomes 2, L40S-4C 12 becomes 8.
@pytest.mark.parametrize(
    ("asked", "placed"),
    [
        ([ask("L40S-16C", 1), ask("L40S-4C", 4)], 5),
        ([ask("L40S-16C", 1), ask("L40S-4C", 5)], 5),
        ([ask("L40S-16C", 2), ask("L40S-4C", 1)], 2),
        ([ask("L40S-24C", 1), ask("L40S-8C", 2)], 3),
    ],
)
def test_mixed_sizes_fit_by_halves(asked, placed):
    plan = mdev_plan({"a": host(card("L40S", sizes=True))}, asked, mode="mixed")
    assert len(plan["assignments"]) == placed
    assert [row["change"] for row in plan["changes"]] == (["heterogeneous"] if placed > 2 else [])


def test_auto_mixes_sizes_only_where_nothing_else_fits():
    apart = mdev_plan({"a": host(card("L40S", sizes=True), card("L40S", "0000:06:00.0", sizes=True))},
                      [ask("L40S-24C"), ask("L40S-8C")])  # fmt: skip
    assert (len(apart["assignments"]), apart["changes"]) == (2, [])
    together = mdev_plan({"a": host(card("L40S", sizes=True))}, [ask("L40S-24C"), ask("L40S-8C")])
    assert [row["change"] for row in together["changes"]] == ["heterogeneous"]
    never = mdev_plan({"a": host(card("L40S", sizes=True))}, [ask("L40S-24C"), ask("L40S-8C")], mode="equal")
    assert (len(never["assignments"]), never["changes"]) == (1, [])
    busy = mdev_plan({"a": host(card("L40S", sizes=True, devices=["24C"]))}, [ask("L40S-24C"), ask("L40S-8C")])
    assert [row["action"] for row in busy["assignments"]] == ["keep"], "a running vGPU forbids the change of mode"


def test_functions_that_are_off_are_enabled_first_and_have_no_address_yet():
    plan = mdev_plan({"a": host(card("L40S", functions_on=False))}, [ask("L40S-24C", 2)])
    assert [(row["change"], row["card"]) for row in plan["changes"]] == [("sriov", "0000:05:00.0")]
    assert [row["parent"] for row in plan["assignments"]] == [None, None]
    assert plan["devices"] == {"a": []}


def test_each_device_gets_a_function_of_its_own():
    plan = mdev_plan({"a": host(card("L40S", devices=["4C"]))}, [ask("L40S-4C", 4)])
    assert len({row["parent"] for row in plan["assignments"]}) == 4
    assert Counter(row["action"] for row in plan["assignments"]) == {"keep": 1, "create": 3}


@pytest.mark.parametrize(
    ("counts", "placed"),
    [
        ({"1-5C": 7}, 7),
        ({"3-20C": 2}, 2),
        ({"3-20C": 2, "1-5C": 1}, 2),
        ({"2-10C": 3, "1-5C": 1}, 4),
        ({"7-40C": 1, "1-5C": 1}, 1),
        ({"3-20C": 1, "2-10C": 2}, 3),
    ],
)
def test_gpu_instances_fit_as_nvidia_places_them(counts, placed):
    asked = [ask(f"A100-{profile}", count) for profile, count in counts.items()]
    plan = mdev_plan({"a": host(card("A100", mig=True))}, asked)
    assert len(plan["assignments"]) == placed
    made = Counter(row["name"] for row in plan["assignments"])
    assert {row["profile"]: row["count"] for row in plan["changes"]} == dict(made)


def test_a_card_with_nothing_on_it_may_be_put_into_mig_mode():
    plan = mdev_plan({"a": host(card("A100", mig=False))}, [ask("A100-3-20C", 2)])
    assert [row["change"] for row in plan["changes"]] == ["mig_mode", "gpu_instances"]
    taken = mdev_plan({"a": host(card("A100", mig=False, devices=["20C"]))}, [ask("A100-3-20C"), ask("A100-20C")])
    assert [row["name"] for row in taken["assignments"]] == ["NVIDIA A100-20C"]


def test_policies_and_distance():
    hosts = {name: host(card("P40"), card("P40", "0000:06:00.0")) for name in "ab"}
    packed = mdev_plan(hosts, [ask("P40-8Q", 3)])
    assert seats(packed) == {("a", "0000:05:00.0", "GRID P40-8Q"): 3}
    spread = mdev_plan(hosts, [ask("P40-8Q", 4)], policy="spread")
    assert sorted(seats(spread).values()) == [1, 1, 1, 1]
    apart = mdev_plan(hosts, [ask("P40-8Q", 3, anti_affinity="host")])
    assert (len(apart["assignments"]), apart["unplaced"][0]["count"]) == (2, 1)
    assert "are to be apart" in apart["unplaced"][0]["reason"]
    pinned = mdev_plan(hosts, [ask("P40-8Q", 1, hosts=["b"], cards=["0000:06:00.0"])])
    assert seats(pinned) == {("b", "0000:06:00.0", "GRID P40-8Q"): 1}


def test_spreading_does_not_cost_a_place_that_packing_finds():
    hosts = {"a": host(card("P40"), card("P40", "0000:06:00.0"))}
    plan = mdev_plan(hosts, [ask("P40-8Q", 2), ask("P40-4Q", 2)], policy="spread")
    assert plan["unplaced"] == []


def test_the_shape_of_vgpu_device_manager_is_taken():
    config = {"version": "v1", "vgpu-configs": {
        "small": [{"devices": [0], "vgpu-devices": {"P40-2Q": 4}}, {"devices": [1], "vgpu-devices": {"P40-8Q": 1}}],
        "default": ["P40-8Q", "P40-24Q"],
        "other": [{"devices": "all", "device-filter": ["0xFFFF10DE"], "vgpu-devices": {"P40-8Q": 1}}],
    }}  # fmt: skip
    hosts = {"a": host(card("P40"), card("P40", "0000:06:00.0"))}
    small = mdev_plan(hosts, config, config="small")
    assert seats(small) == {("a", "0000:05:00.0", "GRID P40-2Q"): 4, ("a", "0000:06:00.0", "GRID P40-8Q"): 1}
    assert seats(mdev_plan(hosts, config)) == {
        ("a", "0000:05:00.0", "GRID P40-8Q"): 3,
        ("a", "0000:06:00.0", "GRID P40-24Q"): 1,
    }
    assert mdev_plan(hosts, config, config="other")["assignments"] == []
    assert "it has default, other, small" in mdev_plan(hosts, config, config="x")["findings"][0]["text"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"name": "x", "count": 1}, "neither profile nor both"),
        ({"name": "x", "profile": "P40-8Q", "count": -1}, "no number of devices"),
        ({"name": "x", "profile": "P40-8Q", "size": 1}, "has size, which is none of"),
        ({"name": "x", "profile": "P40-8Q", "anti_affinity": "rack"}, "it is card or host"),
        ({"name": "x", "profile": "P40-8Q", "policy": "any"}, "pack or spread"),
        ("P40-8Q", "no dictionary"),
    ],
)
def test_a_request_that_is_none_is_refused_with_a_sentence(row, words):
    plan = mdev_plan({"a": host(card("P40"))}, [row])
    assert words in plan["findings"][0]["text"]
    assert (plan["assignments"], plan["idle"]) == ([], False)


@pytest.mark.parametrize("options", [{"policy": "x"}, {"mode": "x"}])
def test_an_unknown_option_is_refused(options):
    assert mdev_plan({}, [], **options)["findings"][0]["code"] == "mdev_request_invalid"


def test_a_uuid_is_of_host_name_and_number():
    assert mdev_uuid("desktops", "a", 1) == mdev_uuid("desktops", "a", 1)
    assert len({mdev_uuid("desktops", "a"), mdev_uuid("desktops", "a", 1), mdev_uuid("desktops", "b")}) == 3


# Facts of simulated hosts, the plan, the module, and again ------------------------------------------------


def facts_of(machine):
    return {"mdev": _mdev_facts.observe(machine, _pci.observe(machine), [])}


@pytest.mark.parametrize(
    ("machine", "first", "second"),
    [
        (lambda: MdevHost(p4=False, mtty=True), [ask("mtty-1", 5, name="x"), ask("mtty-1", 1, name="y")],
         [ask("mtty-1", 5, name="x"), ask("mtty-2", 1, name="y")]),
        (MdevHost, [ask("GRID P4-4Q", 2)], [ask("GRID P4-4Q", 1)]),
        (lambda: MdevHost(p4=False, vendor=True), [ask("A16-4Q", 3)], [ask("A16-4Q", 4)]),
    ],
)  # fmt: skip
def test_plan_and_module_agree_and_a_second_plan_is_idle(machine, first, second):
    box = machine()
    for asked in (first, second):
        plan = mdev_plan({"a": facts_of(box)}, asked, purge=True)
        assert (plan["unplaced"], plan["changes"]) == ([], [])
        before = set(box.running)
        ensure(params(plan["devices"]["a"], purge=True), box, apply=True)
        keeps = {row["uuid"] for row in plan["assignments"] if row["action"] == "keep"} - {None}
        assert keeps & before == keeps - {row["uuid"] for row in plan["assignments"] if row["parent"] in box.vendor}
        again = mdev_plan({"a": facts_of(box)}, asked, purge=True)
        assert (again["idle"], again["surplus"]) == (True, [])
        assert ensure(params(again["devices"]["a"], purge=True), box, apply=True)["changed"] is False


def test_a_changed_profile_replaces_the_device_under_its_uuid():
    box = MdevHost(p4=False, mtty=True)
    one = mdev_plan({"a": facts_of(box)}, [ask("mtty-1", 3, name="x")])
    ensure(params(one["devices"]["a"]), box, apply=True)
    asked = [ask("mtty-1", 2, name="x"), ask("mtty-2", 1, name="y")]
    plan = mdev_plan({"a": facts_of(box)}, asked)
    assert [row["action"] for row in plan["assignments"]] == ["keep", "keep", "create"]
    assert [row["uuid"] for row in plan["surplus"]] == [mdev_uuid("x", "a", 2)]
    plan = mdev_plan({"a": facts_of(box)}, [ask("mtty-2", 3, name="x")])
    assert [(row["action"], row["uuid"]) for row in plan["assignments"]] == [
        ("replace", mdev_uuid("x", "a", number)) for number in range(3)
    ]


def test_devices_made_by_hand_count_for_a_request_and_keep_their_uuid():
    box = MdevHost()
    box.make(uuid(77), P4, "nvidia-65")
    plan = mdev_plan({"a": facts_of(box)}, [ask("GRID P4-4Q", 2)])
    assert [(row["action"], row["uuid"]) for row in plan["assignments"]] == [
        ("keep", uuid(77)),
        ("create", mdev_uuid("GRID P4-4Q", "a", 1)),
    ]


def test_a_device_that_is_defined_and_does_not_run_has_its_place():
    box = MdevHost(p4=False, mtty=True)
    rows = [{"uuid": uuid(number), "parent": MTTY, "type": "mtty-2"} for number in range(12)]
    ensure(params(rows, state="defined"), box, apply=True)
    plan = mdev_plan({"a": facts_of(box)}, [ask("mtty-2", 12, name="x"), ask("mtty-1", 1, name="y")])
    assert Counter(row["action"] for row in plan["assignments"]) == {"keep": 12}
    assert plan["unplaced"][0]["request"] == "y"


# Properties ---------------------------------------------------------------------------------------------

PROFILES = {board: [f"{prefix.split()[1]}-{name}" for name in most] for board, (prefix, _m, most, _f) in BOARDS.items()}


@st.composite
def cards_of_a_host(draw):
    rows = []
    for number in range(draw(st.integers(1, 3))):
        board = draw(st.sampled_from(sorted(BOARDS)))
        plain = [name for name in BOARDS[board][2] if "-" not in name]
        profile = draw(st.sampled_from(plain))
        there = [profile] * draw(st.integers(0, BOARDS[board][2][profile]))
        sliced = board == "A100" and not there and draw(st.booleans())
        enabled = draw(st.booleans()) if board == "L40S" and not there else False
        rows.append(
            card(
                board,
                f"0000:{5 + number:02x}:00.0",
                devices=there,
                sizes=(board == "L40S" and draw(st.booleans())) or enabled,
                enabled=enabled,
                series=draw(st.booleans()),
                functions_on=bool(there) or draw(st.booleans()),
                mig=sliced if board == "A100" else None,
            )
        )
    return host(*rows)


HOSTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), cards_of_a_host(), min_size=1)
ASKED = st.tuples(
    st.sampled_from([profile for names in PROFILES.values() for profile in names]),
    st.integers(0, 6),
    st.sampled_from([None, None, "card", "host"]),
)
REQUESTS = st.lists(ASKED, max_size=5).map(
    lambda rows: [ask(name, count, name=f"r{n}", anti_affinity=apart) for n, (name, count, apart) in enumerate(rows)]
)
PLANS = {"policy": st.sampled_from(["pack", "spread"]), "mode": st.sampled_from(["auto", "equal", "mixed"]),
         "purge": st.booleans()}  # fmt: skip


def contents(hosts, plan, purge):
    """{(host, card): [type row]} that a host has when the plan is carried out, counted without the planner's rules."""
    replaced = {row["uuid"] for row in plan["assignments"] if row["action"] != "create"}
    found = {}
    for name, facts in hosts.items():
        for row in facts["mdev"]["cards"]:
            rows = {kind["id"]: kind for kind in row["types"]}
            mine = [rows[r["type"]] for r in plan["assignments"] if (r["host"], r["card"]) == (name, row["address"])]
            here = [device for device in facts["mdev"]["devices"] if device["card"] == row["address"]]
            stay = [] if purge else [rows[device["type"]] for device in here if device["uuid"] not in replaced]
            found[(name, row["address"])] = (row, [*mine, *stay])
    return found


@settings(max_examples=200)
@given(HOSTS, REQUESTS, st.fixed_dictionaries(PLANS))
def test_no_card_is_over_its_capacity_and_sizes_mix_only_where_they_may(hosts, asked, options):
    plan = mdev_plan(hosts, asked, **options)
    changes = {(row["host"], row["card"], row["change"]) for row in plan["changes"]}
    for key, (row, there) in contents(hosts, plan, options["purge"]).items():
        assert sum(kind["framebuffer_mib"] for kind in there) <= row["memory_mib"]
        sliced = (row["mig"] or {}).get("current") or (*key, "mig_mode") in changes
        assert all((kind["slices"] is not None) == bool(sliced) for kind in there)
        if sliced:
            assert sum(kind["slices"] for kind in there) <= 7
            continue
        mixed = row["heterogeneous"]["enabled"] or (*key, "heterogeneous") in changes
        if mixed:
            assert row["heterogeneous"]["sizes"]
            assert options["mode"] != "equal" or row["heterogeneous"]["enabled"]
            halves = [Fraction(1, 1 << (kind["max_instances"].bit_length() - 1)) for kind in there]
            assert sum(halves) <= 1
        else:
            assert len({kind["framebuffer_mib"] for kind in there}) <= 1
            assert all(len(there) <= kind["max_instances"] for kind in there)
            assert row["heterogeneous"]["profiles"] or len({kind["id"] for kind in there}) <= 1
        assert not row["sriov"] or len(there) <= row["sriov"]["total"]


@settings(max_examples=100)
@given(HOSTS, REQUESTS, st.fixed_dictionaries(PLANS))
def test_devices_stay_are_counted_once_and_each_request_is_told(hosts, asked, options):
    before = json.dumps(hosts, sort_keys=True)
    plan = mdev_plan(hosts, asked, **options)
    assert json.dumps(hosts, sort_keys=True) == before
    there = {(name, row["uuid"]): row for name, facts in hosts.items() for row in facts["mdev"]["devices"]}
    kept = [row for row in plan["assignments"] if row["action"] == "keep"]
    for row in kept:
        device = there[(row["host"], row["uuid"])]
        assert (row["card"], row["parent"], row["type"]) == (device["card"], device["parent"], device["type"])
    surplus = {(row["host"], row["uuid"]) for row in plan["surplus"]}
    claimed = {(row["host"], row["uuid"]) for row in plan["assignments"] if row["action"] != "create"}
    assert (surplus | claimed, surplus & claimed) == (set(there), set())
    missing = {row["request"]: row for row in plan["unplaced"]}
    for row in asked:
        placed = len([seat for seat in plan["assignments"] if seat["request"] == row["name"]])
        assert placed + missing.get(row["name"], {"count": 0})["count"] == row["count"]
    keys = [(row["host"], row["uuid"]) for row in plan["assignments"]]
    assert len(keys) == len(set(keys))
    parents = Counter((row["host"], row["parent"]) for row in plan["assignments"] if row["parent"] != row["card"])
    assert all(count == 1 for key, count in parents.items() if key[1]), "two devices on one virtual function"
    for row in asked:
        if row["anti_affinity"]:
            mine = [seat for seat in plan["assignments"] if seat["request"] == row["name"]]
            places = [(seat["host"], seat["card"] if row["anti_affinity"] == "card" else "") for seat in mine]
            assert len(places) == len(set(places))


@settings(max_examples=60)
@given(HOSTS, REQUESTS, st.fixed_dictionaries(PLANS), st.randoms())
def test_the_same_input_gives_the_same_plan_in_whatever_order(hosts, asked, options, chance):
    names = list(hosts)
    chance.shuffle(names)
    shuffled = {}
    for name in names:
        mdev = hosts[name]["mdev"]
        rows = list(mdev["cards"])
        chance.shuffle(rows)
        shuffled[name] = {"mdev": {"cards": rows, "devices": mdev["devices"]}}
    assert mdev_plan(shuffled, asked, **options) == mdev_plan(hosts, asked, **options)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ANYTHING = st.recursive(
    PLAIN, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3)
)


@given(ANYTHING)
def test_requests_of_any_shape_get_a_plan(anything):
    plan = mdev_plan({"a": host(card("P40"))}, anything)
    assert plan["assignments"] == []


@given(st.dictionaries(st.sampled_from(["name", "profile", "framebuffer_gb", "series", "count", "hosts"]), ANYTHING))
def test_a_request_with_any_values_gets_a_plan(row):
    plan = mdev_plan({"a": host(card("P40"))}, [row])
    assert plan["assignments"] or plan["findings"] or row.get("count", 1) == 0
