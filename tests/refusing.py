"""Hosts that refuse a hook, or lack it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

import pytest

from ktop.kernel.choice import Choice
from ktop.kernel.hooks import Hooks


def lack(monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """Have the object lack a variant, as if the kernel lacked the hook."""
    among = Choice.among

    def without(programs: Iterable[str], kernel: tuple[int, int]) -> Choice:
        return among([each for each in programs if each != variant], kernel)

    monkeypatch.setattr(Choice, "among", without)


def refuse_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse programs on functions, as hosts do that let no code be patched."""
    attach = Hooks._attach_parts

    def refusing(hooks: Hooks, variant: str) -> list[int]:
        if variant in hooks.function_variants():
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return attach(hooks, variant)

    monkeypatch.setattr(Hooks, "_attach_parts", refusing)
