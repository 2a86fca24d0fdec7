#!/bin/sh
# A stand-in for a daemon of NVIDIA's: it is there and does nothing.
exit 0
