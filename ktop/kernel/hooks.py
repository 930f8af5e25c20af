"""What of a family hangs on the kernel: programs on their hooks, perf events in maps."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping

from ktop.kernel import libbpf, perf
from ktop.kernel.choice import Choice
from ktop.perf_event import PerfEvent


class Hooks:
    """Attaches and detaches the groups of one loaded object."""

    def __init__(self, programs: Mapping[str, int], maps: Mapping[str, int], choice: Choice) -> None:
        """Take libbpf's handles by name; nothing is attached yet."""
        self._lib = libbpf.library()
        self._programs, self._maps, self._choice = programs, maps, choice
        self._links: dict[str, list[int]] = {}
        self._perf_fds: dict[str, list[int]] = {}
        self._perf_labels: dict[str, str] = {}
        # Asked for at every tick; libbpf's answers never change once it is loaded.
        self._sections = {
            name: self._lib.bpf_program__section_name(program).decode().lstrip("?")
            for name, program in programs.items()
        }

    def section(self, program: str) -> str:
        """Return where a program hangs, such as ``tp_btf/sched_switch``."""
        section, label = self._sections[program], self._perf_labels.get(program)
        return f"{section} {label}" if label else section

    def live(self) -> dict[str, str]:
        """Return where each attached group hangs, by group."""
        taken = self._choice.taken()
        parts = {group: self._choice.parts[taken[group]] for group in list(self._links) if group in taken}
        return {group: " + ".join(map(self.section, programs)) for group, programs in parts.items()}

    def attach(self, groups: Iterable[str], perf_events: Mapping[str, PerfEvent]) -> dict[str, OSError]:
        """Attach those ``groups`` that are not yet; return what the kernel refused, by group.

        ``perf_events`` by the name of the program (attached to) or map (put
        in).  Where a map's events are refused nothing is attached: what reads
        them would cost and find nothing.
        """
        taken = self._choice.taken()
        for name, event in perf_events.items():
            if name in self._maps and name not in self._perf_fds:
                try:
                    self._fill(name, event)
                except OSError as error:
                    self._close_events()
                    return {name: error}
        failed: dict[str, OSError] = {}
        for group in groups:
            variant = taken.get(group)
            if variant is None or group in self._links or self.is_iterator(variant):
                continue
            try:
                if variant in perf_events:
                    self._links[group] = self._attach_perf(variant, perf_events[variant])
                else:
                    self._links[group] = self._attach_parts(variant)
            except OSError as error:
                failed[group] = error
        return failed

    def function_variants(self) -> set[str]:
        """Return the variants taken that hang on functions: loading does not tell whether they can."""
        variants = self._choice.programs().items()
        return {variant for part, variant in variants if self.section(part).startswith(("fentry/", "fexit/"))}

    def try_to_attach(self, variants: Iterable[str]) -> dict[str, OSError]:
        """Attach and detach each; return what the kernel refused (functions that were inlined)."""
        failed = {}
        for variant in variants:
            try:
                destroy(self._attach_parts(variant))
            except OSError as error:
                failed[variant] = error
        return failed

    def is_iterator(self, variant: str) -> bool:
        """Return whether a variant is read, not attached."""
        return self.section(self._choice.parts[variant][0]).startswith("iter/")

    def is_walk(self, variant: str) -> bool:
        """Return whether a variant is an iterator that does without output (``maps.Walk``)."""
        return self.section(self._choice.parts[variant][0]) == "iter/task_file"

    def _attach_parts(self, variant: str) -> list[int]:
        """Return the links of all programs of a variant; attaches none where one is refused."""
        links: list[int] = []
        try:
            for part in self._choice.parts[variant]:
                links.append(self._lib.bpf_program__attach(self._programs[part]))  # noqa: PERF401 - kept on failure
        except OSError:
            destroy(links)
            raise
        return links

    def detach(self, groups: Iterable[str] | None = None) -> None:
        """Detach ``groups``, all when None; what they counted stays."""
        for group in list(self._links) if groups is None else list(groups):
            destroy(self._links.pop(group, []))
        if groups is None:
            self._close_events()

    def _close_events(self) -> None:
        for fds in self._perf_fds.values():
            for fd in fds:
                os.close(fd)
        self._perf_fds.clear()

    def _attach_perf(self, program: str, event: PerfEvent) -> list[int]:
        fds = perf.open_everywhere(event)
        self._perf_labels[program] = event.label
        links: list[int] = []
        try:
            # A link owns its fd from here on (bpf_link_perf_detach closes it).
            links.extend(
                self._lib.bpf_program__attach_perf_event(self._programs[program], fd) for fd in fds.values()
            )
        except OSError:
            destroy(links)
            for fd in list(fds.values())[len(links) :]:
                os.close(fd)
            raise
        return links

    def _fill(self, name: str, event: PerfEvent) -> None:
        fds = perf.open_everywhere(event)
        self._perf_fds[name] = list(fds.values())
        map_fd = self._lib.bpf_map__fd(self._maps[name])
        for cpu, fd in fds.items():
            key, value = ctypes.c_uint32(cpu), ctypes.c_uint32(fd)
            self._lib.bpf_map_update_elem(map_fd, ctypes.byref(key), ctypes.byref(value), 0)


def destroy(links: Iterable[int]) -> None:
    """Detach ``links`` of libbpf."""
    for link in links:
        libbpf.library().bpf_link__destroy(link)
