"""The module `mdev` on simulated hosts: what differs alone is touched, and what cannot be is refused beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.mdev_hosts import MTTY, P4, PCI, MdevHost, params, sixteen, uuid

Q4 = {"uuid": uuid(1), "parent": P4, "type": "GRID P4-4Q"}
VF = "0000:3b:00.4"


def converge(host, wanted):
    """Predicts, applies, and holds the second run to be idle."""
    before = list(host.calls)
    predicted = ensure(wanted, host, apply=False)
    assert host.calls == before, "the prediction changed something"
    done = ensure(wanted, host, apply=True)
    assert (done["diff"], done["steps"]) == (predicted["diff"], predicted["steps"])
    ran = list(host.calls)
    again = ensure(wanted, host, apply=True)
    assert (again["changed"], again["touched"], host.calls) == (False, [], ran)
    return done


@pytest.mark.parametrize("asked", ["GRID P4-4Q", "P4-4Q", "nvidia-65", "65"])
@pytest.mark.parametrize("mdevctl", [True, False])
def test_a_type_may_be_asked_for_by_name_and_by_id(asked, mdevctl):
    host = MdevHost(mdevctl=mdevctl)
    done = converge(host, params([{**Q4, "type": asked}]))
    assert host.running == {uuid(1): (P4, "nvidia-65")}
    assert [(row["active"], row["defined"], row["name"]) for row in done["devices"]] == [(True, mdevctl, "GRID P4-4Q")]
    assert bool(host.entries("/etc/mdevctl.d/0000:05:00.0")) == mdevctl


def test_nothing_to_do_for_sixteen_devices_is_one_call_that_starts_no_program():
    host = MdevHost(p4=False, mtty=True)
    assert len(converge(host, params(sixteen()))["touched"]) == 16
    ran = list(host.ran)
    assert ensure(params(sixteen()), host, apply=True)["changed"] is False
    assert host.ran == ran


@pytest.mark.parametrize("mdevctl", [True, False])
def test_of_sixteen_devices_the_one_that_changes_is_touched_and_no_other(mdevctl):
    host = MdevHost(p4=False, mtty=True, mdevctl=mdevctl)
    converge(host, params(sixteen()))
    groups = {key: host.links[f"/sys/devices/mtty/{key}/iommu_group"] for key in host.running}
    before = len(host.calls)
    done = converge(host, params(sixteen(changed=7)))
    assert done["touched"] == [uuid(7)]
    assert all(uuid(7) in " ".join([*argv, *(text for _path, text in host.writes)]) for argv in host.calls[before:])
    assert host.running[uuid(7)] == (MTTY, "mtty-2")
    same = {key for key, group in groups.items() if host.links[f"/sys/devices/mtty/{key}/iommu_group"] == group}
    assert same == set(groups) - {uuid(7)}, "a device that was not asked to change was made anew"


def test_a_changed_type_is_refused_while_a_machine_has_the_device_open():
    host = MdevHost()
    converge(host, params([Q4]))
    host.opened(0)
    calls = list(host.calls)
    with pytest.raises(NvidiaError, match=r"qemu-system-x86 \(process 4711, virtual machine win11\)\. Stop that first"):
        ensure(params([{**Q4, "type": "GRID P4-8Q"}]), host, apply=True)
    assert (host.calls, host.running) == (calls, {uuid(1): (P4, "nvidia-65")})
    assert ensure(params([Q4]), host, apply=True)["changed"] is False, "what is in use and as declared is no trouble"


def test_one_of_two_devices_cannot_take_another_size_beside_the_other():
    host = MdevHost()
    converge(host, params([Q4, {**Q4, "uuid": uuid(2)}]))
    calls = [argv for argv in host.calls if argv[0] == "mdevctl"]
    with pytest.raises(NvidiaError) as said:
        ensure(params([Q4, {**Q4, "uuid": uuid(2), "type": "GRID P4-2Q"}]), host, apply=True)
    assert f"GRID P4-2Q on {P4} has no place: {P4} holds 1 x GRID P4-4Q ({uuid(1)})" in str(said.value)
    assert [argv for argv in host.calls if argv[0] == "mdevctl"] == calls


def test_a_full_card_is_refused_with_what_it_holds():
    host = MdevHost()
    converge(host, params([Q4]))
    with pytest.raises(NvidiaError) as said:
        ensure(params([Q4, {**Q4, "uuid": uuid(2), "type": "GRID P4-1A"}]), host, apply=True)
    assert f"1 x GRID P4-1A on {P4}: none fits; {P4} holds 1 x GRID P4-4Q ({uuid(1)})" in str(said.value)
    with pytest.raises(NvidiaError, match="takes at most 2 x GRID P4-4Q, and 3 are asked for"):
        ensure(params([{**Q4, "uuid": uuid(number)} for number in range(3)]), host, apply=True)
    assert len(host.running) == 1


def test_more_than_a_shared_pool_has_is_refused_before_the_first_is_made():
    host = MdevHost(p4=False, mtty=True)
    rows = [{"uuid": uuid(n), "parent": MTTY, "type": "mtty-2" if n < 11 else "mtty-1"} for n in range(21)]
    with pytest.raises(NvidiaError, match="has no room for all of 10 x mtty-1, 11 x mtty-2 together"):
        ensure(params(rows), host, apply=True)
    with pytest.raises(NvidiaError, match="13 x Dual port serial on mtty: 12 more fit"):
        ensure(params([{"uuid": uuid(n), "parent": MTTY, "type": "mtty-2"} for n in range(13)]), host, apply=True)
    assert host.calls == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"type": "GRID P4-4C"}, "knows no type GRID P4-4C. It offers, nearest first: GRID P4-4Q"),
        ({"type": "nvidia-1"}, "knows no type nvidia-1"),
        ({"parent": "0000:06:00.0"}, "0000:06:00.0 offers no mediated devices. Those that do: 0000:05:00.0"),
        ({"uuid": "83c32df7"}, "has the UUID 83c32df7, which is none"),
        ({"uuid": None}, "has no uuid. Give it one"),
        ({"type": None}, "needs parent and type"),
    ],
)
def test_bad_input_gets_a_sentence_and_nothing_is_done(row, words):
    host = MdevHost()
    with pytest.raises(NvidiaError) as said:
        ensure(params([{**Q4, "uuid": uuid(5)}, {**Q4, **row}]), host, apply=True)
    assert words in str(said.value)
    assert str(said.value).startswith("Nothing was changed.")
    assert host.calls == []


def test_a_device_is_declared_once():
    with pytest.raises(NvidiaError, match="declared twice"):
        ensure(params([Q4, {**Q4, "uuid": uuid(1).upper()}]), MdevHost(), apply=True)


def test_a_host_without_any_interface_is_told_what_is_missing():
    with pytest.raises(NvidiaError, match="sriov-manage -e"):
        ensure(params([Q4]), MdevHost(p4=False), apply=True)


def test_states_lead_from_each_to_each():
    for first in ("started", "defined", "stopped", "absent"):
        for second in ("started", "defined", "stopped", "absent"):
            host = MdevHost()
            converge(host, params([Q4], state=first))
            converge(host, params([Q4], state=second))
            defined = bool(host.entries("/etc/mdevctl.d/0000:05:00.0"))
            runs = second == "started" or (second == "defined" and first == "started")
            stays = second in ("started", "defined") or (second == "stopped" and first in ("started", "defined"))
            assert (uuid(1) in host.running, defined) == (runs, stays), (first, second)


def test_purge_removes_what_is_not_declared_and_only_with_purge():
    host = MdevHost(mtty=True)
    converge(host, params([Q4, {**Q4, "uuid": uuid(2)}]))
    host.make(uuid(9), MTTY, "mtty-1")
    assert converge(host, params([Q4]))["touched"] == []
    assert converge(host, params([Q4], purge=True))["touched"] == [uuid(2)]
    assert set(host.running) == {uuid(1), uuid(9)}, "mtty is not NVIDIA's, and nothing on it is declared"
    assert converge(host, params([], purge=True))["touched"] == [uuid(1)]


def test_purge_refuses_a_device_that_is_open():
    host = MdevHost()
    converge(host, params([Q4]))
    host.opened(0)
    with pytest.raises(NvidiaError, match="it is open in"):
        ensure(params([], purge=True), host, apply=True)


def test_parameters_are_set_in_place_and_kept_where_nobody_speaks_of_them():
    host = MdevHost()
    converge(host, params([Q4]))
    told = converge(host, params([{**Q4, "parameters": {"disable_vnc": 1, "frame_rate_limiter": 0}}]))
    assert (host.groups, told["touched"]) == (1, [uuid(1)]), "made anew for a parameter"
    assert host.files[f"/sys/devices/{P4}/{uuid(1)}/nvidia/vgpu_params"] == "disable_vnc=1,frame_rate_limiter=0\n"
    assert converge(host, params([Q4]))["changed"] is False
    converge(host, params([{**Q4, "parameters": {}}]))
    assert host.files[f"/sys/devices/{P4}/{uuid(1)}/nvidia/vgpu_params"] == "\n"


def test_other_attributes_of_a_definition_stay():
    host = MdevHost()
    host.files[f"/etc/mdevctl.d/{P4}/{uuid(1)}"] = (
        '{"mdev_type": "nvidia-64", "start": "manual", "attrs": [{"a/b": "7"}]}'
    )
    converge(host, params([Q4], state="defined"))
    text = host.files[f"/etc/mdevctl.d/{P4}/{uuid(1)}"]
    assert '"a/b": "7"' in text
    assert '"nvidia-65"' in text


def test_vendor_functions_carry_one_vgpu_each():
    host = MdevHost(p4=False, vendor=True)
    rows = [{"parent": name, "type": "NVIDIA A16-4Q", "parameters": {"disable_vnc": 1}} for name in host.vendor]
    done = converge(host, params(rows))
    assert [host.read(f"{PCI}/{name}/nvidia/current_vgpu_type") for name in host.vendor] == ["696\n"] * 4
    assert [row["uuid"] for row in done["devices"]] == [None] * 4
    with pytest.raises(NvidiaError, match=r"NVIDIA A16-2Q on 0000:3b:00\.0 has no place"):
        ensure(params([{**rows[0], "type": "A16-2Q"}, *rows[1:]]), host, apply=True)
    converge(host, params([{"parent": VF}], state="absent"))
    assert host.read(f"{PCI}/{VF}/nvidia/current_vgpu_type") == "0\n"


def test_all_functions_of_a_full_card_can_change_their_type_together():
    host = MdevHost(p4=False, vendor=True)
    converge(host, params([{"parent": name, "type": "A16-4Q"} for name in host.vendor]))
    converge(host, params([{"parent": name, "type": "A16-2Q"} for name in host.vendor]))


def test_a_vendor_function_that_a_machine_uses_is_not_freed():
    host = MdevHost(p4=False, vendor=True)
    converge(host, params([{"parent": VF, "type": "A16-4Q"}]))
    host.opened(70)
    with pytest.raises(NvidiaError, match="it is open in"):
        ensure(params([{"parent": VF}], state="absent"), host, apply=True)


def test_a_card_that_works_through_its_functions_names_them():
    host = MdevHost(p4=False, vendor=True)
    with pytest.raises(NvidiaError, match=r"on its virtual functions\. Take one of 0000:3b:00\.4, 0000:3b:00\.5"):
        ensure(params([{"uuid": uuid(1), "parent": "0000:3b:00.0", "type": "A16-4Q"}]), host, apply=True)


def test_what_mdevctl_cannot_keep_is_not_only_defined():
    host = MdevHost(p4=False, vendor=True)
    with pytest.raises(NvidiaError, match="cannot be defined without being started"):
        ensure(params([{"parent": VF, "type": "A16-4Q"}], state="defined"), host, apply=True)


def test_the_kernel_s_refusal_names_what_was_done_and_what_the_card_holds():
    class Full(MdevHost):
        def poke(self, path, text):
            return 28 if text == uuid(2) else super().poke(path, text)

    host = Full(mdevctl=False)
    with pytest.raises(NvidiaError) as said:
        ensure(params([Q4, {**Q4, "uuid": uuid(2)}]), host, apply=True)
    assert "No space left on device" in str(said.value)
    assert f"holds 1 x GRID P4-4Q ({uuid(1)})" in str(said.value)
    assert f"Done before that: Create {uuid(1)}" in str(said.value)


def test_a_back_end_that_is_not_there_is_refused():
    with pytest.raises(NvidiaError, match="Install the package, or take backend: sysfs"):
        ensure(params([Q4], backend="mdevctl"), MdevHost(mdevctl=False), apply=True)
    with pytest.raises(NvidiaError, match="has not the vendor-specific interface"):
        ensure(params([Q4], backend="vendor_vfio"), MdevHost(), apply=True)


DECLARED = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["mtty-1", "mtty-2"])), max_size=12, unique_by=lambda row: row[0]
)


@settings(max_examples=60)
@given(DECLARED, DECLARED, st.booleans())
def test_any_declaration_that_fits_is_reached_and_touches_only_what_differs(first, second, mdevctl):
    host = MdevHost(p4=False, mtty=True, mdevctl=mdevctl)

    def rows(pairs):
        return [{"uuid": uuid(number), "parent": MTTY, "type": kind} for number, kind in pairs]

    converge(host, params(rows(first)))
    differs = {uuid(n) for n, kind in second if host.running.get(uuid(n)) != (MTTY, kind)}
    gone = set(host.running) - {uuid(n) for n, _kind in second} if second else set()
    try:
        done = converge(host, params(rows(second), purge=True))
    except NvidiaError:
        return
    assert set(done["touched"]) == differs | gone
