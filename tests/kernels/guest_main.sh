#!/bin/sh
# Runs the tests in the guest; whatever happens, the machine goes off at the end.
# What is to be told goes to a serial line of its own, all else is the console's.
trap 'sync; busybox reboot -f' EXIT
cd /ktop || exit
ulimit -n 65536
told=/dev/$(busybox sed 's/.*ktop_told=\([^ ]*\).*/\1/' /proc/cmdline)
stty -F "$told" raw -echo
OPENBLAS_NUM_THREADS=1 PYTHONPATH=/ktop PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 \
	python3 -m tests.kernels.guest_run "$told"
