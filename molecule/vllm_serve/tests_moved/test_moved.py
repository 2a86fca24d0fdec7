"""Whatever the record of role vllm_serve keeps is moved, named and mended; a server that nobody touched goes on."""

from __future__ import annotations

import pytest

from tests.drift.fleet import ROOT, Fleet, move
from tests.drift.seen import is_file, kept, named, places, records, same, texts

FLEET = Fleet("vllm_serve", ("-e", f"@{ROOT}/molecule/vllm_serve/vars/instances.yml"), "serve")
CONFIG = "/srv/models/embed/config.json"
STAMP, CURRENT = "/etc/vllm/gpufleet.json", "/opt/vllm/current"
GROUPED = (
    "/etc/vllm/llm.secrets",
    "/etc/systemd/system/vllm@llm.service.d/50-gpufleet.conf",
    "/etc/systemd/system/vllm@.service",
)
SERVERS = ("llm", "embedding", "reranker")
# The server that nobody touches, what a new environment alone mends, and models, which are their owner's.
SPARED = ("@llm.", "/llm.", "/opt/vllm", "/srv/models")


def is_no_link(state) -> bool:
    return bool(state) and "link" not in state


@pytest.fixture(scope="module")
def server():
    return FLEET.hosts("llm_servers")["serve12"]


def process(server, name: str) -> str:
    return unit(server, f"vllm@{name}", "MainPID,ExecMainStartTimestampMonotonic")


def unit(server, name: str, properties: str) -> str:
    return server.check_output(f"systemctl show {name} --value --property={properties}")


def seconds(server, name: str) -> float:
    """When a server started, as files have their times."""
    return float(server.check_output(f"date +%s --date '{unit(server, f'vllm@{name}', 'ExecMainStartTimestamp')}'"))


def test_what_moves_is_named_and_mended_and_another_server_goes_on(server):
    before = records(server)
    llm, others = process(server, "llm"), {name: process(server, name) for name in ("embedding", "reranker")}
    own = ["/etc/vllm/llm.secrets", "/etc/systemd/system/vllm@llm.service.d/50-gpufleet.conf"]
    looks = places(server, *own)
    move(server, "facts")
    move(server, "edited", *SPARED)
    server.check_output(f"echo >> {CONFIG}")
    rc, report = FLEET.drift()
    assert rc != 0
    moved = {row for row in kept(before, "files", only=is_file) if not any(word in row[1] for word in SPARED)}
    assert named(report, "file") == {*moved, ("vllm_serve", CONFIG)}
    units = ("vllm@embedding.service", "vllm@reranker.service", "nginx.service")
    assert named(report, "unit") == {("vllm_serve", unit) for unit in units}
    assert named(report, "fact") == kept(before, "facts")
    for words in ("vllm@embedding stopped, disabled", "nginx stopped, disabled", "/etc/vllm/reranker.secrets edited"):
        assert words in texts(report)
    FLEET.mend()
    same(server, before, but={CONFIG})  # a model in a folder of its owner is left as it is
    assert (process(server, "llm"), places(server, *own)) == (llm, looks)
    assert all(process(server, name) != was for name, was in others.items())
    FLEET.is_left_alone("serve12")


def test_rights_are_set_right_and_packages_come_back_beside_the_servers(server):
    before = records(server)
    processes = {name: process(server, name) for name in SERVERS}
    move(server, "taken", "/srv/models", *GROUPED)
    server.check_output(f"chgrp nogroup {' '.join(GROUPED)}")
    inodes = f"stat --format %i {' '.join(GROUPED)}"
    were = server.check_output(inodes)
    server.check_output(f"rm {CURRENT} && apt-get --yes remove nginx nginx-common")
    rc, report = FLEET.drift()
    assert rc != 0
    taken = {row for row in kept(before, "files", only=is_no_link) if "/srv/models" not in row[1]}
    assert named(report, "file") == {*taken, ("vllm_serve", CURRENT)}
    assert named(report, "package") == {("vllm_serve", "nginx")}
    assert named(report, "unit") == {("vllm_serve", "nginx.service")}
    assert f"{CURRENT} removed" in texts(report)
    assert "/etc/vllm/reranker.secrets mode 0600 → 0622, owner root:root → nobody:nogroup" in texts(report)
    assert "/etc/vllm/llm.secrets owner root:root → root:nogroup" in texts(report)
    FLEET.mend()
    same(server, before)
    assert server.check_output(inodes) == were
    assert processes == {name: process(server, name) for name in processes}
    assert {unit(server, f"vllm@{name}", "NeedDaemonReload") for name in SERVERS} == {"no"}
    FLEET.is_left_alone("serve12")


def test_an_environment_that_somebody_changed_is_replaced_and_servers_go_on_until_then(server):
    (had,) = records(server)["vllm_serve"]["managed"]["facts"]["vllm.environments"]
    was, versions = had["path"], had["packages"]
    nginx = unit(server, "nginx", "MainPID")
    wheel = (ROOT / "molecule/vllm_serve/stand_in_wheel.py").read_text(encoding="utf-8")
    pip = f"{CURRENT}/bin/python -m pip --disable-pip-version-check"
    server.check_output(f"python3 - dill 0.0.1 /root <<'END'\n{wheel}\nEND")
    server.check_output(f"{pip} install --no-index --no-deps /root/dill-0.0.1-py3-none-any.whl")
    server.check_output(f"{pip} uninstall --yes supervisor && rm {CURRENT}/bin/vllm")
    rc, report = FLEET.drift()
    assert rc != 0
    moved = {f"dill {versions['dill']} → 0.0.1", f"supervisor {versions['supervisor']} → null"}
    told = {f"vllm.environments[0].packages.{what}" for what in moved}
    assert {*told, f"{was}/bin/vllm removed"} <= set(texts(report))
    assert named(report, "file") == {("vllm_serve", f"{was}/bin/vllm")}
    output = FLEET.mend("-v")
    lacks = (
        "bin/vllm as it was",
        f"dill-{versions['dill']}.dist-info",
        f"supervisor-{versions['supervisor']}.dist-info",
    )
    assert all(what in output for what in lacks), output
    (has,) = records(server)["vllm_serve"]["managed"]["facts"]["vllm.environments"]
    assert has == {**had, "path": f"{was}-2"} and not server.file(was).exists
    made = server.file(f"{was}-2.json").mtime.timestamp()
    assert all(seconds(server, name) > made for name in SERVERS)
    assert {unit(server, f"vllm@{name}", "NRestarts") for name in SERVERS} == {"0"}
    assert unit(server, "nginx", "MainPID") == nginx
    FLEET.is_left_alone("serve12")
