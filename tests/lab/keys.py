"""SSH: one key for the user, one for all hosts, and the command that uses them. Host keys are checked."""

from __future__ import annotations

from pathlib import Path

from tests.lab.console import run
from tests.lab.image import locked
from tests.lab.places import HOST_KEY, KEY, KNOWN_HOSTS, SSH, SSH_PORT

CONFIGURATION = """# The lab's: hosts share one machine's network, so each listens on an address of its own.
ListenAddress {address}
Port {port}
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
"""


def provide() -> None:
    """Makes the keys, once."""
    SSH.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(SSH / "lock", "SSH keys: another lab is making them, waiting"):
        for path, comment in ((KEY, "lab user"), (HOST_KEY, "lab host")):
            if not path.exists():
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
        public = HOST_KEY.with_suffix(".pub").read_text(encoding="utf-8").split()
        KNOWN_HOSTS.write_text(f"[127.*]:{SSH_PORT} {public[0]} {public[1]}\n")


def install(root: Path, address: str) -> None:
    """Puts the keys and sshd's configuration into a host's tree."""
    ssh = root / "etc/ssh"
    (ssh / "sshd_config.d").mkdir(parents=True, exist_ok=True)
    (ssh / "sshd_config.d/10-lab.conf").write_text(CONFIGURATION.format(address=address, port=SSH_PORT))
    write(ssh / "ssh_host_ed25519_key", HOST_KEY.read_text(), 0o600)
    write(ssh / "ssh_host_ed25519_key.pub", HOST_KEY.with_suffix(".pub").read_text(), 0o644)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    write(root / "root/.ssh/authorized_keys", KEY.with_suffix(".pub").read_text(), 0o600)


def write(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text)


def ssh_command(address: str, words: list[str], *, terminal: bool = False) -> list[str]:
    options = [
        f"UserKnownHostsFile={KNOWN_HOSTS}",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "LogLevel=ERROR",
        "ConnectTimeout=5",
    ]
    flags = [word for option in options for word in ("-o", option)]
    batch = ["-t"] if terminal else ["-o", "BatchMode=yes"]
    return ["ssh", "-F", "none", "-p", str(SSH_PORT), "-i", str(KEY), *flags, *batch, f"root@{address}", *words]
