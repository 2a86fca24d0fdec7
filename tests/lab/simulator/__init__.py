"""The simulator of graphics cards: a stand-in for the hardware and for the kernel's side of its driver.

It is copied into lab hosts and runs there with the host's own Python. It shows, at the machine's boundaries (sysfs,
procfs, device nodes), what a kernel would show that has the cards of a profile and has booted with the modules that are
on the host's disk.
"""
