"""Machines: whole ones in software emulation; firmware, boot loader, kernel and modules are real."""
