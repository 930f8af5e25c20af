"""Which variant of each hook group to take: pure, tested without a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_KERNELS = re.compile(r"_(before|since)_(\d+)_(\d+)$")


@dataclass(slots=True)
class Choice:
    """What is left to take, given what the kernel refused so far."""

    variants: dict[str, list[str]]
    """Variants by group, in order of preference."""
    parts: dict[str, list[str]] = field(default_factory=dict)
    """The programs of each variant; one called like it, in general."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why, by variant."""
    storage: bool = True
    """Whether state is kept with tasks and sockets, and not in substitute hash maps."""

    @classmethod
    def among(cls, programs: Iterable[str], kernel: tuple[int, int]) -> Choice:
        """Group ``programs`` (``GROUP__VARIANT__PART``, in the order of the file).

        Those called ``..._before_6_4`` are left out from that version of the ``kernel`` on, and
        those called ``..._since_6_4`` before it.
        """
        choice = cls({})
        for name in programs:
            only = _KERNELS.search(name)
            if only is not None and (kernel < (int(only[2]), int(only[3]))) != (only[1] == "before"):
                continue
            group, *rest = name.split("__")
            variant = "__".join([group, *rest[:1]])
            if variant not in choice.parts:
                choice.variants.setdefault(group, []).append(variant)
            choice.parts.setdefault(variant, []).append(name)
        return choice

    def taken(self) -> dict[str, str]:
        """Return the best variant that was not refused, by group; groups without one are left out."""
        best = {}
        for group, names in self.variants.items():
            left = [name for name in names if name not in self.refused]
            if left:
                best[group] = left[0]
        return best

    def programs(self) -> dict[str, str]:
        """Return the variant that each program to be loaded is a part of, by program."""
        return {part: variant for variant in self.taken().values() for part in self.parts[variant]}

    def missing(self) -> dict[str, str]:
        """Return why a group has no variant left, by group."""
        taken = self.taken()
        return {
            group: "; ".join(self.refused[name] for name in names)
            for group, names in self.variants.items()
            if group not in taken
        }
