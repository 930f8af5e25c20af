"""Hosts that refuse a hook."""

from __future__ import annotations

import errno
import os

import pytest

from ktop.kernel.hooks import Hooks


def refuse(monkeypatch: pytest.MonkeyPatch, *variants: str) -> None:
    """Refuse ``variants``; without any those on functions, as hosts do that let no code be patched."""
    attach = Hooks._attach_parts

    def refusing(hooks: Hooks, variant: str) -> list[int]:
        if variant in (variants or hooks.function_variants()):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return attach(hooks, variant)

    monkeypatch.setattr(Hooks, "_attach_parts", refusing)
