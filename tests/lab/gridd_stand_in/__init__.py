"""Stand-ins for what NVIDIA does not give away: nvidia-gridd, its package and a licence service. README.md says what they are not."""
