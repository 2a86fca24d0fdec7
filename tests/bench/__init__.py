"""Benchmarks. Each prints ratios of things measured in the same run on the same host, so that the machine's speed cancels out."""
