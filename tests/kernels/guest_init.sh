#!/bin/busybox sh
# The guest's first process, of its initramfs: mounts the disks and leaves them to guest_run.py.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mkdir -p /proc /sys /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
	insmod "$module"
done
# Disks are found a moment after their driver.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -b /dev/vda ] && [ -b /dev/vdb ] && break
	sleep 1
done
mount -t ext4 /dev/vda /root
mount -t ext4 -o ro /dev/vdb /root/ktop
for directory in proc sys dev; do
	mount -o move "/$directory" "/root/$directory"
done
mount -t tmpfs run /root/run
mkdir -p /root/dev/shm
mount -t tmpfs shm /root/dev/shm
mount -t tracefs trace /root/sys/kernel/tracing
ip link set lo up
hostname guest
exec switch_root /root /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin HOME=/root \
	LANG=C.UTF-8 /bin/sh /ktop/tests/kernels/guest_main.sh
