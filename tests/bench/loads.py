"""The workloads; each runs about so many seconds and returns what it got done in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Load = Callable[[float], float]

EXEC_BATCH = 50


def _stress(name: str, seconds: float, workers: int) -> float:
    command = ["stress-ng", f"--{name}", str(workers), "-t", f"{max(1, round(seconds))}", "--metrics-brief"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(rf"\b{name}\s+(\d+)\s+([\d.]+)", done.stdout + done.stderr)
    assert found is not None, done.stdout + done.stderr
    return int(found[1]) / float(found[2])


def switches(seconds: float) -> float:
    """Return operations a second of ping-pong that is nothing but context switches."""
    return _stress("switch", seconds, 2)


def pipes(seconds: float) -> float:
    """Return operations a second of writing and reading pipes."""
    return _stress("pipe", seconds, 2)


def burn(seconds: float) -> float:
    """Return operations a second of computing on all CPUs."""
    return _stress("cpu", seconds, os.cpu_count() or 1)


def _fio(seconds: float, *options: str) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        command = [
            *("fio", "--name=x", f"--directory={scratch}", "--size=64m", "--bs=4k", "--time_based"),
            *(f"--runtime={seconds}", "--output-format=json", *options),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    job = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]
    return float(job["read"]["iops"] + job["write"]["iops"])


def reads(seconds: float) -> float:
    """Return direct 4 KiB random reads a second, one at a time."""
    return _fio(seconds, "--rw=randread", "--direct=1", "--ioengine=psync")


def deep_reads(seconds: float) -> float:
    """Return direct 4 KiB random reads a second, eight at a time."""
    return _fio(seconds, "--rw=randread", "--direct=1", "--ioengine=libaio", "--iodepth=8")


def cached(seconds: float) -> float:
    """Return 4 KiB reads and writes a second through the page cache, of a file that is read in first."""
    return _fio(seconds, "--rw=randrw", "--direct=0", "--ioengine=psync")


def stream(seconds: float) -> float:
    """Return 64-byte messages a second over one TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-l", "64", "-N", "-J"]
        command += ["-C", "reno", "-A", "0,1", "-t", f"{max(1, round(seconds))}"]
        said = ""
        # Until it listens; a control connection that met it at a bad moment is tried again, too.
        for _ in range(50):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            # One that was cut short ends with 0 as well.
            received = json.loads(done.stdout)["end"].get("sum_received") if done.returncode == 0 else None
            if received is not None:
                return float(received["bytes"]) / float(received["seconds"]) / 64
            said = done.stdout[-300:] + done.stderr
            time.sleep(0.1)
        raise RuntimeError(f"iperf3 has no figures: {said}")
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        server.wait()


_PING_PONG = """
import os, socket, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
with socket.create_server(("127.0.0.1", 0)) as server:
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()
near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
if not os.fork():
    near.close()
    while data := far.recv(64):
        far.send(data)
    os._exit(0)
far.close()
data, number, begun = bytes(64), 0, time.monotonic()
while (passed := time.monotonic() - begun) < float(sys.argv[2]):
    for _ in range(200):
        near.send(data)
        near.recv(64)
    number += 200
print(number / passed, flush=True)
near.close()
os.wait()
"""


def messages(seconds: float) -> float:
    """Return 64-byte requests with their answers a second over loopback, a pair of processes on each CPU."""
    pairs = [
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PING_PONG, str(cpu), str(seconds)], stdout=subprocess.PIPE
        )
        for cpu in sorted(os.sched_getaffinity(0))
    ]
    return sum(float(pair.communicate()[0]) for pair in pairs)


def execs(seconds: float) -> float:
    """Return fork+exec+wait a second of a program that does nothing."""
    true = shutil.which("true") or "true"
    start, number = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        for _ in range(EXEC_BATCH):
            os.waitpid(os.posix_spawn(true, [true], {}), 0)
        number += EXEC_BATCH
    return number / (time.monotonic() - start)


COMMANDS: dict[Load, str] = {
    switches: "stress-ng --switch 2 -t {seconds}",
    pipes: "stress-ng --pipe 2 -t {seconds}",
    burn: "stress-ng --cpu {cpus} -t {seconds}",
    reads: "fio --rw=randread --bs=4k --direct=1 --ioengine=psync --size=64m --runtime={seconds}",
    deep_reads: "fio --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=8 --size=64m"
    " --runtime={seconds}",
    cached: "fio --rw=randrw --bs=4k --direct=0 --ioengine=psync --size=64m --runtime={seconds}",
    messages: "send and recv of 64 bytes and back for {seconds} s, a pair of processes on each CPU",
    stream: "iperf3 -c 127.0.0.1 -A 0,1 -C reno -l 64 -N -t {seconds}",
    execs: "posix_spawn and waitpid of /usr/bin/true, for {seconds} s",
}


def command(load: Load, seconds: float) -> str:
    """Return how ``load`` is run."""
    return COMMANDS[load].format(seconds=f"{seconds:g}", cpus=os.cpu_count())
