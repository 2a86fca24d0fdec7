# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and options of the action plugin mok_console, which does all the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mok_console
short_description: Answers MokManager at a host's console, so that nobody has to walk there
version_added: 0.1.0
description:
  - Reboots the host, attaches to its console from the controller, and answers MokManager there. It presses a key to
    stop the countdown, chooses C(Enroll MOK) or C(Delete MOK), types the one-time password, confirms and reboots.
  - A request must have been staged on the host before (module M(gpufleet.nvidia.mok), or C(mokutil)).
  - No key is pressed before the screen has been recognised by its text, its frame and the selected entry. On any
    surprise the way out is taken (C(No), C(Continue boot), or the countdown's end), so that no key is enrolled or
    removed and the machine boots. On a screen that is not known, nothing is pressed at all.
  - Before the reboot the console is opened, and the host writes a mark on its own console; it is rebooted only when the
    mark came over the line (O(check_line)). So a busy console, a dead command and the console of another machine are
    found before anything happens.
  - MokManager forgets every request when it is left. After any other end than C(enrolled), C(deleted) and C(not_seen),
    the request has to be staged again. Where an enrolment and a deletion are staged both, the one that is not asked for
    is forgotten.
  - Hosts are served side by side, as many as there are forks.
options:
  console:
    description:
      - The line to the host's console, as the controller reaches it. Exactly one of C(command), C(tcp) and C(socket).
    type: dict
    required: true
    suboptions:
      command:
        description:
          - A program on the controller that shows the console on its terminal, as a list of words (or a text that is
            split like a shell would). No shell is involved.
          - For instance C(ipmitool -I lanplus -H BMC -U USER -E sol activate), C(virsh -c URI console DOMAIN),
            C(ssh HYPERVISOR qm terminal 101) or C(conserver)'s C(console -f NAME).
        type: raw
      environment:
        description:
          - Environment variables for the command, the place for its secrets (C(IPMI_PASSWORD)). Words of a command can
            be read in the list of processes.
        type: dict
      tcp:
        description: A console server's port, C(host:port), without telnet's negotiation (raw).
        type: str
      socket:
        description: Path of a unix socket, such as QEMU makes for a serial port.
        type: path
  password:
    description:
      - The one-time password that the request was staged with. It is typed only where MokManager prompts for it, up to
        three times, and is in no output at any verbosity.
    type: str
    required: true
  request:
    description: What was staged.
    type: str
    choices: [enrol, delete]
    default: enrol
  expected_keys:
    description:
      - SHA-1 fingerprints (or parts of subjects) of the keys that may be confirmed. Each key of the request is looked
        at on the screen first, and the request is refused when it holds any other.
      - Without it the keys are not looked at.
    type: list
    elements: str
    default: []
  reboot:
    description:
      - Reboot the host when the console is there, and wait for it to come back.
      - With V(false) the host reboots by other means, and is not touched or waited for. Start the task before it does.
    type: bool
    default: true
  check_line:
    description:
      - With O(reboot=true), refuse unless a mark that the host writes on its console is seen on the line. Set it to
        V(false) where the kernel has no console on the line that the firmware talks on.
    type: bool
    default: true
  first_screen_timeout:
    description: Seconds from the reboot until MokManager's first screen. Large machines test their memory for long.
    type: int
    default: 300
  timeout:
    description: Seconds until the host can be reached again, from the last key on.
    type: int
    default: 600
requirements:
  - pexpect and pyte, Python packages, where Ansible runs
notes:
  - The host needs root (C(become)) for the reboot and the mark.
  - The setting C(display_args_to_stdout) prints the options of every task; set C(no_log) on this one where it is on.
author: gpufleet.nvidia contributors (@gpufleet)
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: The options are examined and the plan is told. The console is not opened, as that may disturb its user.
  diff_mode:
    support: none
    details: What is enrolled is told by M(gpufleet.nvidia.gpu_facts), before and after.
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.gpu_facts
  - module: gpufleet.nvidia.mok
  - module: ansible.builtin.reboot
"""

EXAMPLES = r"""
- name: Enrol the staged key over the BMC's serial console
  gpufleet.nvidia.mok_console:
    console:
      command: [ipmitool, -I, lanplus, -H, "{{ bmc_address }}", -U, admin, -E, sol, activate]
      environment:
        IPMI_PASSWORD: "{{ bmc_password }}"
    password: "{{ mok_password }}"
    expected_keys: ["{{ site_key_sha1 }}"]

- name: Enrol over the serial port of a virtual machine
  gpufleet.nvidia.mok_console:
    console:
      command: virsh -c qemu+ssh://hypervisor/system console {{ inventory_hostname }}
    password: "{{ mok_password }}"

- name: Remove a key that was staged for deletion
  gpufleet.nvidia.mok_console:
    console:
      tcp: consoles.example.org:7012
    password: "{{ mok_password }}"
    request: delete
"""

RETURN = r"""
outcome:
  description:
    - V(enrolled) and V(deleted) are what was asked for; with all others the task fails.
    - V(dismissed), the countdown ended; V(not_seen), the host booted without MokManager, or nothing came;
      V(refused), MokManager did not offer it or a key was not expected; V(wrong_password); V(surprise), anything else.
  returned: when the console was opened
  type: str
  choices: [enrolled, deleted, dismissed, not_seen, refused, wrong_password, surprise]
screens:
  description: MokManager's screens in their order, with what was pressed; the password is called C(the password).
  returned: when the console was opened
  type: list
  elements: dict
  contains:
    screen:
      description: The screen's name.
      type: str
      sample: confirm_enrol
    shows:
      description: What it says.
      type: str
      sample: "Enroll the key(s)? No, Yes"
    seconds:
      description: Seconds since the reboot was ordered.
      type: float
    pressed:
      description: The keys.
      type: list
      elements: str
      sample: [Down, Enter]
transcript:
  description: The last lines that came over the console, without the password.
  returned: when the console was opened
  type: list
  elements: str
rebooted:
  description: The host came back with a new boot id.
  returned: when the console was opened
  type: bool
seconds:
  description: How long it took, all in all.
  returned: when the console was opened
  type: float
"""

ARGUMENT_SPEC = {
    "console": {
        "type": "dict",
        "required": True,
        "options": {
            "command": {"type": "raw"},
            "environment": {"type": "dict", "no_log": True},
            "tcp": {"type": "str"},
            "socket": {"type": "path"},
        },
    },
    "password": {"type": "str", "required": True, "no_log": True},
    "request": {"type": "str", "choices": ["enrol", "delete"], "default": "enrol"},
    "expected_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "reboot": {"type": "bool", "default": True},
    "check_line": {"type": "bool", "default": True},
    "first_screen_timeout": {"type": "int", "default": 300},
    "timeout": {"type": "int", "default": 600},
}
