"""How many files ktop may open."""

from __future__ import annotations

import resource

import pytest

from ktop.kernel import limits

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1 << 30), (limits.OPEN_FILES, 1 << 30)),
        ((1024, UNLIMITED), (limits.OPEN_FILES, UNLIMITED)),
        ((1 << 20, 1 << 20), None),
        ((UNLIMITED, UNLIMITED), None),
    ],
)
def test_the_soft_limit_is_raised_and_never_lowered(given, wanted, monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: given)
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limit: asked.append(limit))
    limits.raise_open_files()
    assert asked == ([] if wanted is None else [wanted])


def test_a_refusal_is_no_failure(monkeypatch):
    def refuse(_which, _limit):
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    limits.raise_open_files()
