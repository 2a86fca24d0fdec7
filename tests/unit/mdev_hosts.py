"""vGPU hosts that are simulated at sysfs, procfs and mdevctl; a stand-in for a kernel and a driver, and no more.

The trees are written after documentation, not captured: the kernel's vfio-mediated-device guide, NVIDIA's user guide
for the vendor-specific interface, the log of a real kernel with the sample driver mtty, and a real mdevctl's messages.
"""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import parse_creatable
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem

BUS, DEVICES, PCI = "/sys/class/mdev_bus", "/sys/bus/mdev/devices", "/sys/bus/pci/devices"
P4, MTTY = "0000:05:00.0", "mtty"

# id: (name, MiB, most); a Tesla P4 as field reports show it (nvidia-65 is GRID P4-4Q)
P4_TYPES = {
    "nvidia-63": ("GRID P4-1Q", 1024, 8),
    "nvidia-64": ("GRID P4-2Q", 2048, 4),
    "nvidia-65": ("GRID P4-4Q", 4096, 2),
    "nvidia-66": ("GRID P4-8Q", 8192, 1),
    "nvidia-67": ("GRID P4-1A", 1024, 8),
}
# Their numbers are of this table alone.
A16_TYPES = {
    694: ("NVIDIA A16-1Q", 1024, 16),
    695: ("NVIDIA A16-2Q", 2048, 8),
    696: ("NVIDIA A16-4Q", 4096, 4),
    697: ("NVIDIA A16-16Q", 16384, 1),
}
MTTY_TYPES = {"mtty-1": ("Single port serial", 1), "mtty-2": ("Dual port serial", 2)}
MTTY_PORTS = 24
WORDS = {28: "No space left on device", 22: "Invalid argument", 17: "File exists"}


def uuid(number):
    return f"83c32df7-d52e-4ec1-9668-{number:012x}"


class MdevHost(FakeSystem):
    """A host whose sysfs answers as the drivers' would.

    :param mdevctl: whether it is installed; :param vendor: whether the A16 has the vendor-specific interface
    """

    def __init__(self, p4=True, mtty=False, vendor=False, mdevctl=True, functions=4, table=True):
        super().__init__(which=["tee"])
        self.commands[("tee",)] = self.tee
        self.running: dict[str, tuple[str, str]] = {}
        self.groups, self.data, self.writes = 0, "", []
        self.commands[("systemctl", "show")] = ""
        if mdevctl:
            self._which.add("mdevctl")
            self.commands[("mdevctl",)] = self.mdevctl
            self.files["/etc/mdevctl.d/scripts.d/callouts/.keep"] = ""
        self.p4, self.mtty = p4, mtty
        self.vendor = [f"0000:3b:00.{number}" for number in range(4, 4 + functions)] if vendor else []
        if p4:
            self.pci(P4, "1bb3", "11d8")
        if vendor:
            self.pci("0000:3b:00.0", "25b6", "14a9")
            self.files[f"{PCI}/0000:3b:00.0/sriov_totalvfs"] = "16\n"
            self.files[f"{PCI}/0000:3b:00.0/sriov_numvfs"] = f"{functions}\n"
        for number, address in enumerate(self.vendor):
            self.pci(address, "25b6", "0000")
            self.links[f"{PCI}/{address}/physfn"] = "../0000:3b:00.0"
            self.links[f"{PCI}/{address}/iommu_group"] = f"../../../kernel/iommu_groups/{70 + number}"
            self.links[f"{PCI}/0000:3b:00.0/virtfn{number}"] = f"../{address}"
            self.files[f"{PCI}/{address}/nvidia/current_vgpu_type"] = "0\n"
            self.files[f"{PCI}/{address}/nvidia/vgpu_params"] = "\n"
        if vendor and table:
            self.files["/usr/share/nvidia/vgpu/vgpuConfig.xml"] = a16_table()
        self.account()

    def pci(self, address, device, subsystem):
        base = f"{PCI}/{address}"
        self.files.update({
            f"{base}/vendor": "0x10de\n",
            f"{base}/device": f"0x{device}\n",
            f"{base}/class": "0x030200\n",
            f"{base}/subsystem_vendor": "0x10de\n",
            f"{base}/subsystem_device": f"0x{subsystem}\n",
        })  # fmt: skip

    # What the drivers answer ------------------------------------------------------------------------------

    def account(self):
        """Writes available_instances and creatable_vgpu_types anew: P4 and A16 take vGPUs of one size at a time."""
        if self.p4:
            there = [kind for parent, kind in self.running.values() if parent == P4]
            sizes = {P4_TYPES[kind][1] for kind in there}
            for kind, (name, size, most) in P4_TYPES.items():
                room = most - len(there) if sizes <= {size} else 0
                said = f"num_heads=4, frl_config=60, framebuffer={size}M, max_resolution=7680x4320, max_instance={most}"
                self.offer(P4, kind, name, room, said)
        if self.mtty:
            free = MTTY_PORTS - sum(MTTY_TYPES[kind][1] for parent, kind in self.running.values() if parent == MTTY)
            for kind, (name, ports) in MTTY_TYPES.items():
                self.offer(MTTY, kind, name, free // ports)
        taken = [int(self.files[f"{PCI}/{name}/nvidia/current_vgpu_type"]) for name in self.vendor]
        sizes = {A16_TYPES[kind][1] for kind in taken if kind}
        for name, chosen in zip(self.vendor, taken, strict=True):
            listed = {
                number: row[0]
                for number, row in A16_TYPES.items()
                if not chosen and sizes <= {row[1]} and len([other for other in taken if other]) < row[2]
            }
            rows = "".join(f"{number:<6}: {told}\n" for number, told in listed.items())
            self.files[f"{PCI}/{name}/nvidia/creatable_vgpu_types"] = f"ID    : vGPU Name\n{rows}" if rows else ""

    def offer(self, parent, kind, name, room, description=None):
        base = f"{BUS}/{parent}/mdev_supported_types/{kind}"
        self.files.update({f"{base}/name": f"{name}\n", f"{base}/available_instances": f"{room}\n"})
        self.files[f"{base}/device_api"] = "vfio-pci\n"
        if description:
            self.files[f"{base}/description"] = f"{description}\n"

    def make(self, key, parent, kind):
        base = f"/sys/devices/{parent}/{key}"
        self.running[key] = (parent, kind)
        self.links[f"{DEVICES}/{key}"] = base
        self.links[f"{base}/mdev_type"] = f"{BUS}/{parent}/mdev_supported_types/{kind}"
        self.links[f"{base}/iommu_group"] = f"../../../kernel/iommu_groups/{self.groups}"
        if parent == P4:
            self.files[f"{base}/nvidia/vgpu_params"] = "\n"
        self.groups += 1
        self.account()

    def unmake(self, key):
        parent, _kind = self.running.pop(key)
        base = f"/sys/devices/{parent}/{key}"
        self.links = {path: to for path, to in self.links.items() if base not in path and path != f"{DEVICES}/{key}"}
        self.files = {path: text for path, text in self.files.items() if not path.startswith(f"{base}/")}
        self.account()

    def run(self, argv, timeout=30, data=None, env=None):
        self.data = data
        return super().run(argv, timeout, data, env)

    def tee(self, argv):
        path, text = argv[1], self.data
        self.writes.append((path, text))
        number = self.poke(path, text)
        return Result(1, "", f"tee: {path}: {WORDS[number]}") if number else Result(0, text, "")

    def poke(self, path, text):
        """What the kernel does with a value; the number of its error, or 0."""
        parts = path.split("/")
        if parts[-1] == "create":
            parent, kind = parts[4], parts[6]
            if text in self.running:
                return 17
            if int(self.files[path.replace("/create", "/available_instances")]) < 1:
                return 28
            self.make(text, parent, kind)
        elif parts[-1] == "remove":
            self.unmake(parts[5])
        elif parts[-1] == "current_vgpu_type":
            listed = parse_creatable(self.files[path.replace("current", "creatable").replace("type", "types")])
            if text != "0" and f"nvidia-{text}" not in listed:
                return 22
            self.files[path] = f"{text}\n"
            if text == "0":
                self.files[path.replace("current_vgpu_type", "vgpu_params")] = "\n"
            self.account()
        else:
            self.files[self.real(path)] = f"{text.strip()}\n"
        return 0

    def mdevctl(self, argv):
        words = dict(zip(argv[2::2], argv[3::2], strict=False))
        key, parent, command = words.get("--uuid"), words.get("--parent"), argv[1]
        path = f"/etc/mdevctl.d/{parent}/{key}"
        if command == "--version":
            return "mdevctl 1.2.0\n"
        if command == "define":
            if path in self.files:
                return Result(1, "", f"Error: Device {key} on {parent} already defined")
            self.files[path] = json.dumps(json.loads(self.data or ""), indent=2)
        elif command == "undefine":
            if self.files.pop(path, None) is None:
                return Result(1, "", "Error: No devices match the specified uuid")
        elif command == "start":
            told = json.loads(self.files[path])
            room = f"{BUS}/{parent}/mdev_supported_types/{told['mdev_type']}/available_instances"
            if int(self.files[room]) < 1:
                return Result(1, "", f"Error: No available instances of {told['mdev_type']} on {parent}")
            self.make(key, parent, told["mdev_type"])
            for row in told["attrs"]:
                for name, text in row.items():
                    self.files[f"/sys/devices/{parent}/{key}/{name}"] = f"{text}\n"
        elif command == "stop":
            if key not in self.running:
                return Result(1, "", f"Error: Error removing device {key}")
            self.unmake(key)
        return ""

    # What a test sets up ----------------------------------------------------------------------------------

    def opened(self, group, pid=4711, name="win11"):
        """A virtual machine that uses the device of an IOMMU group."""
        self.links[f"/proc/{pid}/fd/31"] = f"/dev/vfio/{group}"
        self.links[f"/proc/{pid}/fd/30"] = "/dev/vfio/vfio"
        self.files[f"/proc/{pid}/comm"] = "qemu-system-x86\n"
        self.files[f"/proc/{pid}/cmdline"] = f"/usr/bin/qemu-system-x86_64\0-name\0guest={name},debug-threads=on\0"

    @property
    def calls(self):
        """What was executed to change something."""
        reading = (["mdevctl", "--version"], ["systemctl"])
        return [argv for argv in self.ran if not any(argv[: len(other)] == other for other in reading)]


def a16_table():
    """A vgpuConfig.xml with the element and attribute names of NVIDIA's, for one card."""
    kinds = "".join(
        f'<vgpuType id="{number}" name="{name}" class="Quadro"><profileSize>{size << 20:#x}</profileSize></vgpuType>\n'
        for number, (name, size, _most) in A16_TYPES.items()
    )
    rows = "".join(
        f'<supportedVgpu vgpuId="{number}"><maxVgpus>{most}</maxVgpus></supportedVgpu>\n'
        for number, (_name, _size, most) in A16_TYPES.items()
    )
    board = '<devId vendorId="0x10DE" deviceId="0x25B6" subsystemVendorId="0x10DE" subsystemId="0x14A9"/>'
    card = f"<pgpu>{board}{rows}</pgpu>"
    return f'<?xml version="1.0"?>\n<vgpuconfig>\n{kinds}{card}\n</vgpuconfig>\n'


def params(devices, **options):
    """The module's parameters with their defaults."""
    rows = [
        {"uuid": None, "parent": None, "type": None, "autostart": True, "parameters": None, **row} for row in devices
    ]
    return {"devices": rows, "state": "started", "backend": "auto", "purge": False, **options}


def sixteen(kind="mtty-1", changed=None):
    """Sixteen devices on mtty; the one with the number *changed* is of the other type."""
    return [
        {"uuid": uuid(number), "parent": MTTY, "type": "mtty-2" if number == changed else kind} for number in range(16)
    ]
