"""Benchmarks. Each prints ratios of things measured in one run on one host: the machine's speed cancels out."""
