"""The lab: real Debian hosts in containers, reached over SSH, with graphics cards that are simulated at the machine's boundaries."""
