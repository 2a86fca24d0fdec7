"""Makes a stand-in for the guest driver's package: its name, its version, its daemon's unit, and none of its driver."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.console import run
from tests.lab.runfile_stand_ins.kinds import StandIn
from tests.lab.runfile_stand_ins.payload import LIBRARIES, fill_driver

HERE = Path(__file__).resolve().parent
TRIPLET = "x86_64-linux-gnu"
CONFLICTS = "libcuda1, libnvidia-ml1, nvidia-driver, nvidia-kernel-dkms, nvidia-smi, nvidia-alternative"
UNIT = """\
# Stand-in for the unit of NVIDIA's guest driver.
[Unit]
Description=NVIDIA Grid Daemon
Wants=network-online.target
After=network-online.target

[Service]
Type=forking
ExecStart=/usr/bin/nvidia-gridd
ExecStopPost=/bin/rm -rf /var/run/nvidia-gridd

[Install]
WantedBy=multi-user.target
"""
TEMPLATE = """\
# /etc/nvidia/gridd.conf.template - Configuration file for vGPU Licensing Daemon (a stand-in's)

# For details on the file format, please refer to the nvidia-gridd(1)
# man page.

# Description: Set License Server Address
# Data type: string
# Format:  "<address>"
ServerAddress=

# Description: Set License Server port number
# Data type: integer
# Format:  <port>, default is 7070
ServerPort=

# Description: Set Feature to be enabled
# Data type: integer
# Possible values:
#    0 => for unlicensed state
#    1 => for NVIDIA vGPU (Optional, autodetected as per vGPU type)
#    2 => for NVIDIA RTX Virtual Workstation
#    4 => for NVIDIA Virtual Compute Server
# All other values reserved
FeatureType=0

# Description: Parameter to enable or disable Grid Licensing tab in nvidia-settings
# Data type: boolean
# Possible values: TRUE or FALSE, default is FALSE
EnableUI=FALSE

# Description: Set license borrow period in minutes
# Data type: integer
# Possible values: 10 to 10080 mins(7 days), default is 1440 mins(1 day)
#LicenseInterval=1440

# Description: Set license linger period in minutes
# Data type: integer
# Possible values: 0 to 10080 mins(7 days), default is 0 mins
#LingerInterval=0
"""
POSTINST = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
dkms add -m nvidia -v {version} || true
for tree in /lib/modules/*/build; do
    [ -e "$tree" ] && dkms install -m nvidia -v {version} -k "$(basename "$(dirname "$tree")")"
done
modprobe nvidia || true
ldconfig
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --now nvidia-gridd.service || true
fi
"""
PRERM = """\
#!/bin/sh
set -e
[ -d /run/systemd/system ] && systemctl disable --now nvidia-gridd.service || true
modprobe -r nvidia || true
dkms remove -m nvidia -v {version} --all || true
"""
POSTRM = """\
#!/bin/sh
set -e
[ "$1" = purge ] && rm -rf /var/lib/nvidia/GridLicensing
ldconfig
[ -d /run/systemd/system ] && systemctl daemon-reload || true
"""


def name_of(version: str) -> str:
    return f"nvidia-linux-grid-{version.split('.', maxsplit=1)[0]}-stand-in"


def control(version: str) -> str:
    fields = {
        "Package": name_of(version),
        "Version": version,
        "Architecture": "amd64",
        "Maintainer": "gpufleet lab <lab@example.com>",
        "Section": "non-free/restricted",
        "Priority": "optional",
        "Depends": "dkms, python3, ca-certificates",
        "Conflicts": f"{CONFLICTS}, nvidia-linux-grid",
        "Provides": "nvidia-linux-grid",
        "Replaces": "nvidia-linux-grid",
        "Description": "stand-in for NVIDIA's guest driver, with nothing of NVIDIA's in it",
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def fill(tree: Path, version: str) -> None:
    """Lays out what the package holds, from the runfile stand-in of the same version."""
    source = tree.parent / "payload"
    source.mkdir()
    fill_driver(StandIn("grid", version), source, run)
    sources = tree / f"usr/src/nvidia-{version}"
    shutil.copytree(source / "kernel", sources)
    libraries = tree / "usr/lib" / TRIPLET
    libraries.mkdir(parents=True)
    for library in LIBRARIES:
        shutil.copyfile(source / "libraries" / f"{library}.so", libraries / f"{library}.so.{version}")
        (libraries / f"{library}.so.1").symlink_to(f"{library}.so.{version}")
    for file, target in (("daemon_stand_in.py", "nvidia-gridd"), ("smi_stand_in.py", "nvidia-smi")):
        write(tree / "usr/bin" / target, f"#!/usr/bin/python3\n{(HERE / file).read_text(encoding='utf-8')}", 0o755)
    write(tree / "lib/systemd/system/nvidia-gridd.service", UNIT)
    write(tree / "etc/nvidia/gridd.conf.template", TEMPLATE)
    (tree / "etc/nvidia/ClientConfigToken").mkdir()


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def build(folder: Path, version: str) -> Path:
    """Makes the package in a folder and gives its path."""
    target = folder / f"{name_of(version)}_{version}_amd64.deb"
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    tree.mkdir(parents=True)
    fill(tree, version)
    write(tree / "DEBIAN/control", control(version))
    for script, text in (("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)):
        write(tree / "DEBIAN" / script, text.replace("{version}", version), 0o755)
    tree.chmod(0o755)
    run(["dpkg-deb", "--root-owner-group", "--build", tree, target])
    shutil.rmtree(work)
    return target
