# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The initial RAM file system: is it older than what it must contain, rebuilding it, looking inside afterwards."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# build: argv with {kernel}; each: one kernel a call; lists: argv that prints an image's files; images: where they lie
Tool = namedtuple("Tool", "name build each lists images")
# image: path or None; modified: seconds since the epoch or None
Image = namedtuple("Image", "kernel image modified")
Step = namedtuple("Step", "says kernel image modified reason")

TOOLS = (
    Tool(
        "update-initramfs",
        ("update-initramfs", "-u", "-k", "{kernel}"),
        True,
        ("lsinitramfs", "{image}"),
        ("/boot/initrd.img-{kernel}",),
    ),
    Tool(
        "dracut",
        ("dracut", "--force", "--kver", "{kernel}"),
        True,
        ("lsinitrd", "{image}"),
        ("/boot/initramfs-{kernel}.img", "/boot/initrd-{kernel}"),
    ),
    Tool(
        "mkinitcpio",
        ("mkinitcpio", "-P"),
        False,
        ("lsinitcpio", "{image}"),
        ("/boot/initramfs-{kernel}.img", "/boot/initramfs-{package}.img"),
    ),
)
TIMEOUT = 900


def find_tool(system):
    """The Tool of this host, or None where there is none (a container needs no initramfs)."""
    return next((tool for tool in TOOLS if system.which(tool.name)), None)


def fill(argv, **values):
    return [word.format(**values) for word in argv]


def observe(system, tool, kernels):
    """[Image] of the kernels; `all` means every kernel in /lib/modules that has an image or a kernel in /boot."""
    installed = [k for k in system.entries("/lib/modules") if system.exists(f"/lib/modules/{k}/modules.dep")]
    if kernels != ["all"]:
        unknown = [kernel for kernel in kernels if kernel not in installed]
        if unknown:
            raise NvidiaError(
                f"There is no kernel {', '.join(unknown)} in /lib/modules, so it can have no initramfs. Installed are: "
                f"{', '.join(installed) or 'none'}."
            )
    images = [find_image(system, tool, k) for k in (installed if kernels == ["all"] else kernels)]
    return images if kernels != ["all"] else [i for i in images if i.image or bootable(system, i.kernel)]


def bootable(system, kernel):
    """True when the kernel itself lies where a boot loader finds it; modules alone may be leftovers."""
    return system.exists(f"/boot/vmlinuz-{kernel}") or system.exists(f"/lib/modules/{kernel}/vmlinuz")


def find_image(system, tool, kernel):
    package = (system.read(f"/lib/modules/{kernel}/pkgbase") or "").strip()
    for path in fill(tool.images, kernel=kernel, package=package):
        modified = system.modified(path)
        if modified is not None:
            return Image(kernel, path, modified)
    return Image(kernel, None, None)


def plan(images, times, force=False):
    """[Step] for every image that is missing, or older than one of *times* ({path: seconds or None}), or for all."""
    steps = []
    for image in images:
        newer = sorted(path for path, time in times.items() if time is not None and time > (image.modified or 0))
        if image.image is None:
            reason = "it has none"
        elif newer:
            reason = f"{', '.join(newer)} {'is' if len(newer) == 1 else 'are'} newer"
        elif force:
            reason = "its configuration changed"
        else:
            continue
        steps.append(
            Step(
                f"Rebuild the initramfs of {image.kernel}: {reason}", image.kernel, image.image, image.modified, reason
            )
        )
    return steps


def lacking(listing, paths):
    """Those of the paths that an image's listing does not hold; it names them with or without a leading slash."""
    lines = {line.split(" -> ")[0].split()[-1].lstrip("/") for line in listing.splitlines() if line.strip()}
    return [path for path in paths if path.lstrip("/") not in lines]


def build_argv(tool, step):
    """argv of the rebuild; update-initramfs creates an image that is not there yet with another letter."""
    argv = fill(tool.build, kernel=step.kernel)
    return ["-c" if word == "-u" and step.image is None else word for word in argv]


def rebuild(system, tool, step):
    """Rebuilds, and puts the old image back when that fails.

    :raises NvidiaError: with what the tool said
    """
    spare = f"{step.image}.gpufleet-old" if step.image else None
    if spare:
        copied = system.run(["cp", "--preserve=all", step.image, spare], timeout=120)
        if copied.rc != 0:
            raise NvidiaError(
                f"{step.image} could not be copied before its rebuild, so nothing was changed: {copied.err.strip()}. "
                "Make room in /boot."
            )
    try:
        result = system.run(build_argv(tool, step), timeout=TIMEOUT)
        said = "\n".join((result.out + "\n" + result.err).strip().splitlines()[-15:])
        if result.rc != 0:
            if spare:
                system.run(["mv", "-f", spare, step.image], timeout=120)
            back = " The old image was put back." if spare else ""
            raise NvidiaError(
                f"{tool.name} could not rebuild the initramfs of {step.kernel} (exit status {result.rc}).{back}\n{said}"
            )
    finally:
        if spare:
            system.remove(spare)


def verify(system, tool, step, contains):
    """Looks inside the new image; an image that lacks the files would boot as if they had never been written."""
    image = find_image(system, tool, step.kernel)
    if image.image is None or (step.modified or 0) >= image.modified:
        raise NvidiaError(
            f"{tool.name} ended well but made no new initramfs for {step.kernel} in /boot. Look whether it is switched "
            "off (update_initramfs=no in /etc/initramfs-tools/update-initramfs.conf) or diverted."
        )
    if not contains or not system.which(tool.lists[0]):
        return
    result = system.run(fill(tool.lists, image=image.image), timeout=120)
    absent = lacking(result.out, contains)
    if result.rc == 0 and absent:
        raise NvidiaError(
            f"{image.image} was rebuilt but does not contain {', '.join(absent)}. Look at the configuration of "
            f"{tool.name}: it must include /etc/modprobe.d."
        )


def ensure(params, system, *, apply):
    """The result of the module `initramfs`; see its RETURN."""
    tool = find_tool(system)
    if tool is None:
        return {"changed": False, "steps": [], "rebuilt": [], "tool": None, "diff": {"before": {}, "after": {}}}
    images = observe(system, tool, params["kernels"])
    steps = plan(images, {path: system.modified(path) for path in params["newer_than"]}, params["force"])
    if apply:
        for step in steps if tool.each else steps[:1]:
            rebuild(system, tool, step)
        for step in steps:
            verify(system, tool, step, [p for p in params["contains"] if system.exists(p)])
    reasons = {step.kernel: step.reason for step in steps}
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "rebuilt": [step.kernel for step in steps],
        "tool": tool.name,
        "diff": {
            "before": {i.kernel: f"stale: {reasons[i.kernel]}" if i.kernel in reasons else "current" for i in images},
            "after": {image.kernel: "current" for image in images},
        },
    }
