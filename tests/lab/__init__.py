"""The lab: real Debian hosts in containers, reached over SSH; only their graphics cards are simulated."""
