"""top for the kernel: what it does, layer by layer, and to whom."""

__version__ = "0.1.0"
"""The package's version too: pyproject.toml reads it here, so that a checkout knows it as well."""
