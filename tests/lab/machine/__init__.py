"""Secure Boot hosts: whole machines in software emulation; firmware, shim, MokManager, kernel and modules are real."""
