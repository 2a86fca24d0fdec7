# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of systemd for the servers of a host: one template for all, one drop-in for each instance.

Each line has a reason that was measured: see docs/serving.md.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_written import exec_line

HEAD = "# Managed by Ansible (gpufleet.nvidia.vllm_serve); changes are overwritten.\n"
FOLDER = "/etc/systemd/system"
TEMPLATE = f"{FOLDER}/vllm@.service"
HOMES = ("/home/", "/root/", "/run/user/")
READY_TIMEOUT = "0.14.0"  # the release that brought VLLM_ENGINE_READY_TIMEOUT_S
PATHS = "/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

UNIT = """\
[Unit]
Documentation=https://docs.vllm.ai/
Wants=network-online.target
After=network-online.target nvidia-persistenced.service {orders}
StartLimitIntervalSec={limit_seconds}
StartLimitBurst={limit}

[Service]
Type=exec
Restart=always
RestartSec={restart_seconds}
RestartPreventExitStatus=2
KillMode=mixed
LimitNOFILE=1048576
LimitMEMLOCK=infinity
UMask=0027
WorkingDirectory={home}
Environment=HOME={home} HF_HOME={home}/huggingface
Environment=XDG_CACHE_HOME={cache} XDG_CONFIG_HOME={home}/config VLLM_CACHE_ROOT={cache}/vllm
Environment=TRITON_CACHE_DIR={cache}/triton TORCHINDUCTOR_CACHE_DIR={cache}/inductor
Environment=PYTHONUNBUFFERED=1
{hardening}
[Install]
WantedBy=multi-user.target
"""
HARDENING = """\
PrivateTmp=yes
PrivateDevices=no
TemporaryFileSystem=/dev/shm:mode=1777
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={home} {cache}
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
RestrictSUIDSGID=yes
LockPersonality=yes
"""


def unit_of(name: str) -> str:
    return f"vllm@{name}.service"


def drop_in_path(name: str) -> str:
    return f"{FOLDER}/{unit_of(name)}.d/50-gpufleet.conf"


def secrets_path(name: str, layout: dict[str, Any]) -> str:
    return f"{layout['folder']}/{name}.secrets"


def template_unit(layout: dict[str, Any]) -> str:
    """The part that all instances have in common. A change of it counts from each server's next start.

    :param layout: see the filter gpufleet.nvidia.vllm_service
    """
    hardening = HARDENING.format(**layout) if layout["hardening_enabled"] else ""
    return HEAD + UNIT.format(**{**layout, "hardening": hardening, "orders": " ".join(layout["after_units"])}).replace(
        "persistenced.service \n", "persistenced.service\n"
    )


def drop_in(instance: dict[str, Any], layout: dict[str, Any]) -> str:
    """What is this instance's alone: it starts anew whenever this text changes."""
    name, root = instance["name"], layout["environment"]
    program = [f"{root}/bin/python", "-I", "-S", layout["program"]]
    port = "0" if instance.get("is_worker") else str(instance["port"])  # a worker listens for nobody
    cards = ",".join(map(str, instance["gpus"]))
    before = [*program, "prepare", "--unit", unit_of(name), "--port", port, "--user", layout["user"]]
    before += ["--cards", cards] if cards else []
    lines = ["[Unit]", f"Description=vLLM {name.replace('%', '%%')}: {instance['task']} on port {instance['port']}"]
    lines += [f"After={' '.join(unit_of(other) for other in instance['after'])}"] if instance["after"] else []
    lines += [f"X-Gpufleet-Digest={instance['digest']}", f"X-Gpufleet-Port={instance['port']}"]
    lines += [f"X-Gpufleet-Gpus={cards}", "", "[Service]"]
    lines += [f"User={layout['user']}", f"Group={layout['group']}"]
    if layout["groups"]:
        lines.append(f"SupplementaryGroups={' '.join(layout['groups'])}")
    if layout["hardening_enabled"]:
        lines.append(f"ProtectHome={'read-only' if _is_at_home(instance, layout) else 'yes'}")
    lines += [_environment(*pair) for pair in environment_of(instance, layout).items()]
    if instance["secrets"]:
        lines.append(f"EnvironmentFile={secrets_path(name, layout)}")
    lines.append(f"ExecStartPre=+{exec_line(before)}")
    if not instance.get("is_worker"):
        health = [*program, "wait", "--url", f"{instance['url']}/health"]
        lines.append(f"ExecStartPost={exec_line(health)}")
    before = [*program, "follow", "--leader", instance["leader"]] if instance.get("is_worker") else []
    lines.append(f"ExecStart={exec_line([*before, f'{root}/bin/vllm'])} {instance['exec']}")
    lines += [f"TimeoutStartSec={layout['start_timeout']}", f"TimeoutStopSec={instance['shutdown_timeout'] + 30}"]
    return HEAD + "\n".join(lines) + "\n"


def environment_of(instance: dict[str, Any], layout: dict[str, Any]) -> dict[str, str]:
    found = {"PATH": f"{layout['environment']}/bin:{PATHS}"}
    if version_key(layout["version"]) >= version_key(READY_TIMEOUT):
        found["VLLM_ENGINE_READY_TIMEOUT_S"] = str(layout["start_timeout"])
    return {**found, **instance["environment"]}


def _environment(name: str, value: str) -> str:
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={text}"'


def _is_at_home(instance: dict[str, Any], layout: dict[str, Any]) -> bool:
    """Whether the server must read below a home folder, which is hidden from it otherwise."""
    words = [*instance["argv"], layout["environment"], *instance["environment"].values()]
    return any(home in f"{word}/" for word in words for home in HOMES)


def secrets_text(values: dict[str, str]) -> str:
    """A file for ``EnvironmentFile=``: one variable a line, quoted as systemd reads it."""
    lines = []
    for name, value in sorted(values.items()):
        text = str(value)
        for letter in '\\"$`':
            text = text.replace(letter, f"\\{letter}")
        lines.append(f'{name}="{text}"\n')
    return HEAD + "".join(lines)
