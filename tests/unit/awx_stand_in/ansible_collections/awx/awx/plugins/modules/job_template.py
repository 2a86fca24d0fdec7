"""Only its presence counts: playbooks/awx_setup.yml looks for it."""
