"""Whatever the record of role vllm_serve keeps is moved, named and mended; a server that nobody touched goes on."""

from __future__ import annotations

import pytest

from tests.drift.fleet import ROOT, Fleet, move
from tests.drift.seen import is_file, kept, named, places, records, same, texts

FLEET = Fleet("vllm_serve", ("-e", f"@{ROOT}/molecule/vllm_serve/vars/instances.yml"), "serve")
CONFIG = "/srv/models/embed/config.json"
STAMP, CURRENT = "/etc/vllm/gpufleet.json", "/opt/vllm/current"
# The server that nobody touches, what only a new environment would mend, and models, which are their owner's.
SPARED = ("@llm.", "/llm.", ".json", "/srv/models")


@pytest.fixture(scope="module")
def server():
    return FLEET.hosts("llm_servers")["serve12"]


def process(server, name: str) -> str:
    return server.check_output(f"systemctl show vllm@{name} --property=MainPID,ExecMainStartTimestampMonotonic")


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


def test_what_concerns_no_server_is_mended_beside_them(server):
    before = records(server)
    processes = {name: process(server, name) for name in ("llm", "embedding", "reranker")}
    spared = ("secrets", "service", "conf", "env-", "/srv/models", "libexec")
    move(server, "taken", *spared)
    server.check_output(f"rm {CURRENT} && apt-get --yes remove nginx nginx-common")
    rc, report = FLEET.drift()
    assert rc != 0
    taken = {row for row in kept(before, "files", only=bool) if not any(word in row[1] for word in spared)}
    assert named(report, "file") == taken
    assert named(report, "package") == {("vllm_serve", "nginx")}
    assert named(report, "unit") == {("vllm_serve", "nginx.service")}
    assert f"{CURRENT} removed" in texts(report)
    FLEET.mend()
    same(server, before)
    assert processes == {name: process(server, name) for name in processes}
    FLEET.is_left_alone("serve12")
