"""What a pane's section of the process screen says."""

from __future__ import annotations

import numpy as np

from ktop.pane import START
from ktop.process import TICK_NS
from ktop.ui.sections import of_family
from tests.ui.synthetic import EXECSNOOP


def test_events_of_another_process_with_the_same_pid_are_not_the_familys() -> None:
    began = 100 * TICK_NS
    events = {
        "pid": np.array([7, 7, 8, 9, 10]),
        "ppid": np.array([1, 1, 7, 7, 1]),
        START: np.array(
            [began - TICK_NS, began + 5, began - TICK_NS, began + TICK_NS, began], dtype=np.uint64
        ),
    }
    assert of_family(EXECSNOOP, events, 7)["pid"].tolist() == [7, 7, 8, 9]
    # To the nanosecond, or as /proc has it: from the start of the tick.
    for start_ns in (began + 5, began):
        family = of_family(EXECSNOOP, events, 7, start_ns)
        assert family["pid"].tolist() == [7, 9]
        assert family[START][0] == began + 5
