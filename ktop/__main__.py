"""``python -m ktop``."""

from __future__ import annotations

import sys

from ktop.cli.main import main

sys.exit(main())
