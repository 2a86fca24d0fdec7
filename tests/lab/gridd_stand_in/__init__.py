"""Stand-ins for nvidia-gridd, its package and a licence service; README.md says what they are not."""
