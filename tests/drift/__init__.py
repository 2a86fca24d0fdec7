"""What somebody does to hosts by hand, what playbooks/drift.yml says of it, and whether a run mends it."""
