"""Debian's packages of any release, through apt with directories of its own: the host's stay as they are."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS_VALID = 12 * 3600
"""Seconds after which the package lists are read again."""

HOST_TARGETS = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

CONFIGURATION = """
Dir::Etc::SourceList "{place}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{place}";
Dir::State::Status "{place}/status";
Dir::Cache "{place}";
Dir::Log "{place}";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
"""


class PackageError(Exception):
    """Packages cannot be had; the text says why."""


def cache_directory() -> Path:
    """Return where downloads and images are kept, made if need be; outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        base = "/var/cache" if os.geteuid() == 0 else os.path.expanduser("~/.cache")  # noqa: PTH111 - as a string
    directory = Path(base) / "ktop-kernels"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def mirrors() -> dict[str, str]:
    """Return where this host gets Debian's packages and security updates from, by apt's label."""
    found = {}
    for line in _run("apt-get", "indextargets", "--format", HOST_TARGETS).splitlines():
        origin, label, uri = line.split("|")
        if origin == "Debian" and label in {"Debian", "Debian-Security"}:
            found[label] = uri
    if "Debian" not in found:
        raise PackageError("apt knows no Debian mirror, or its lists were never read: apt-get update")
    # Mirrors keep both side by side.
    found.setdefault("Debian-Security", found["Debian"].rstrip("/") + "-security/")
    return found


@dataclass(frozen=True)
class Release:
    """Debian's packages of one release."""

    name: str
    architecture: str = "amd64"
    security: bool = True
    """With the security updates."""

    @property
    def place(self) -> Path:
        """Where apt keeps its lists and downloads of this release."""
        suffix = "" if self.security else "-as-released"
        return cache_directory() / "apt" / f"{self.name}-{self.architecture}{suffix}"

    def update(self, *, anew: bool = False) -> None:
        """Read the package lists, unless that was done less than some hours ago."""
        read = self.place / "read"
        if not anew and read.exists() and time.time() - read.stat().st_mtime < LISTS_VALID:
            return
        for directory in ("lists/partial", "archives/partial", "nothing/partial"):
            (self.place / directory).mkdir(parents=True, exist_ok=True)
        (self.place / "status").touch()
        text = CONFIGURATION.format(place=self.place, architecture=self.architecture)
        (self.place / "apt.conf").write_text(text)
        uris = mirrors()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        sources = [f"deb {signed}{uris['Debian']} {self.name} main"]
        if self.security and self.name != "sid":
            sources.append(f"deb {signed}{uris['Debian-Security']} {self.name}-security main")
        (self.place / "sources.list").write_text("\n".join([*sources, ""]))
        try:
            self._apt("apt-get", "update", "--error-on=any")
        except PackageError:
            if not read.exists():
                raise
            return  # the lists of some hours ago will do
        read.touch()

    def depends(self, name: str, pattern: str) -> list[str]:
        """Return those packages that ``name`` depends on, directly or not, whose names match ``pattern``."""
        found: list[str] = []
        left = [name]
        while left:
            answer = self._apt("apt-cache", "depends", "--important", left.pop())
            new = re.findall(rf"^ +Depends: ({pattern})$", answer, re.MULTILINE)
            left += [package for package in new if package not in found]
            found += [package for package in new if package not in found]
        return found

    def download(self, *names: str, alone: bool = False) -> list[Path]:
        """Download packages with all that they depend on, or ``alone``; return the files, sorted."""
        option = ["download"] if alone else ["install", "--download-only"]
        # What apt has already it does not name: so it is asked as if it had nothing.
        nothing = f"Dir::Cache::Archives={self.place}/nothing"
        uris = self._apt(
            "apt-get", "-y", "-o", nothing, *option, "--print-uris", *names, cwd=self.place / "nothing"
        )
        # 'URI' FILE SIZE HASH
        files = {line.split()[1]: int(line.split()[2]) for line in uris.splitlines() if line.startswith("'")}
        archives = self.place / "archives"
        paths = [archives / name for name in sorted(files)]
        if any(not path.exists() or path.stat().st_size != files[path.name] for path in paths):
            self._apt("apt-get", "-y", *option, *names, cwd=archives)
        return paths

    def _apt(self, *command: str, cwd: Path | None = None) -> str:
        tool, *rest = command
        return _run(tool, "-q", "-c", str(self.place / "apt.conf"), *rest, cwd=cwd)


def fetch(
    releases: Iterable[Release], names: Callable[[Release], Sequence[str]], *, alone: bool = False
) -> list[Path]:
    """Download the packages ``names`` says, of the first release that has them all; ``alone`` as above.

    What the lists name can be gone from the mirror: then they are read anew.
    """
    failure: PackageError | None = None
    for release in releases:
        for anew in (False, True):
            try:
                release.update(anew=anew)
                return release.download(*names(release), alone=alone)
            except PackageError as error:
                failure = failure or error
    raise failure or PackageError("no release to fetch from")


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise PackageError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
