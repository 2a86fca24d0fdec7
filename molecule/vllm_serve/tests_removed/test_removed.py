"""After vllm_serve_state: absent."""

from __future__ import annotations


def test_no_server_and_no_file_of_theirs_is_left(host):
    assert "vllm@" not in host.check_output("systemctl list-units --all --no-legend 'vllm@*'")
    assert not [name for name in host.file("/etc/systemd/system").listdir() if name.startswith("vllm@")]
    assert host.file("/etc/vllm").listdir() == []
    assert not host.file("/usr/local/libexec/gpufleet-vllm").exists
    assert not host.file("/etc/nginx/conf.d/vllm-chat.conf").exists
    assert host.run("pgrep --full VLLM::").rc == 1


def test_environment_and_models_stay(host):
    assert host.file("/opt/vllm/current/bin/vllm").exists
    assert host.file("/srv/models/llm/config.json").exists
