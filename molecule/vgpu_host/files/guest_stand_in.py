"""A stand-in of a virtual machine: has a mediated device open as QEMU has one, through VFIO, until it is ended.

Called as ``guest_stand_in.py -name guest=NAME UUID``.
"""

import fcntl
import os
import signal
import struct
import sys

SET_IOMMU, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD = 0x3B66, 0x3B68, 0x3B6A
TYPE1 = 1

uuid = sys.argv[-1]
group_name = os.path.basename(os.readlink(f"/sys/bus/mdev/devices/{uuid}/iommu_group"))
container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open(f"/dev/vfio/{group_name}", os.O_RDWR)
fcntl.ioctl(group, GROUP_SET_CONTAINER, struct.pack("i", container))
fcntl.ioctl(container, SET_IOMMU, TYPE1)
device = fcntl.ioctl(group, GROUP_GET_DEVICE_FD, bytearray(f"{uuid}\0".encode()))
print(f"{uuid} is open as file {device}", flush=True)
signal.pause()
