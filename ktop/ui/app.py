"""The application: puts the parts together, and leaves."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual._compositor import ChopsUpdate
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from ktop.format import percent
from ktop.pane import Heatmap, Pane
from ktop.source import HOST, Source
from ktop.ui import keys
from ktop.ui.bridge import Bridge
from ktop.ui.main_screen import MainScreen
from ktop.ui.palette import ThemedApp
from ktop.ui.terminal.changes import Changes
from ktop.ui.terminal.driver import KtopDriver
from ktop.ui.textual_fixes.keys_in_order import KeysInOrder
from ktop.ui.theme import THEMES
from ktop.ui.time_keys import TimeKeys
from ktop.ui.view import View, next_interval

SETTLED_S = 3.0
"""When everything that is there to stay has been made."""
COST_S = 10.0
"""How long ``b`` has the kernel time the programs."""
COMPLAINT_S = 8.0
"""How long what went wrong before the start is in sight."""


def commands_in_order() -> type[Provider]:
    """Return what offers the commands as they are declared, panes first, where Textual sorts by name."""
    from ktop.ui.textual_fixes.modal import InOrder

    return InOrder


class KtopApp(KeysInOrder, ThemedApp):
    """ktop on the screen; drawn from Frames alone, wherever they come from."""

    CSS_PATH = "ktop.tcss"
    TITLE = "ktop"
    BINDINGS = keys.APP
    COMMANDS = {commands_in_order}  # noqa: RUF012 - as Textual declares it
    ESCAPE_TO_MINIMIZE = False
    # No key copies a selection, and Textual (8.2.8) fails where one begins on what was removed.
    ALLOW_SELECT = False

    def __init__(  # noqa: PLR0913 - what the command line knows
        self,
        source: Source,
        panes: Sequence[Pane],
        *,
        pane: str | None = None,
        pid: int | None = None,
        at: float | None = None,
        theme: str | None = None,
        keymap: keys.Keymap | None = None,
        complaint: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Show the Frames of ``source``.

        ``pane``: the one in sight first.  ``pid``: filter by this process and
        open its screen.  ``at``: the moment to be paused at first (Unix time).
        ``theme``: one of Textual's or ktop's; without one, what suits the terminal
        of ``environ``.  ``keymap``: which bindings have other keys than usual.
        ``complaint``: what went wrong before, and must not go unsaid.  Raises
        KeyError when there is no such pane, UnknownThemeError when there is no such theme.
        """
        super().__init__(theme=theme, environ=environ, keymap=keymap)
        names = [each.name for each in panes]
        if pane is not None and pane not in names:
            raise KeyError(pane)
        self.driver_class = KtopDriver
        self.source = source
        self.panes = tuple(panes)
        self.view = View(interval_s=source.interval_s)
        self.view.at = at
        self.bridge = Bridge(panes, self.view)
        self._complaint = complaint
        self.failure: Exception | None = None
        """What ended the application, if anything did but the user."""
        self._first = names.index(pane) if pane is not None else 0
        self._pid = pid
        if pid is not None:
            from ktop.tables.filter import parse

            self.view.filter = parse(f"pid:{pid}", panes)

    def get_default_screen(self) -> Screen[None]:
        """Return the screen with the panes."""
        return MainScreen(self.source, self.panes, self.bridge, self.view, self._first)

    def on_ready(self) -> None:
        """Begin: the skeleton has been painted, and nothing was loaded before."""
        if not gc.isenabled():
            # The command line switched collection off: it costs a tenth of the time to the first paint.
            gc.enable()
            # Each tick draws with thousands of short-lived tuples, none of them in a cycle: at Python's own
            # threshold of 700, looking through them is a sixth of the display's time (measured).
            gc.set_threshold(20_000, 10, 10)
            self.set_timer(SETTLED_S, _settle)
        self.source.look_at((self.panes[self._first].name,))
        self.source.start(self.bridge.publish)
        if self._complaint is not None:
            self.notify(self._complaint, severity="warning", timeout=COMPLAINT_S, markup=False)
        main = self.screen
        if isinstance(main, MainScreen):
            main.begin()
            if self._pid is not None:
                main.open_process(self._pid)

    def run(self, **options: Any) -> Any:
        """Run until quit; the terminal is given back before the kernel side is taken down."""
        try:
            return super().run(**options)
        finally:
            self.bridge.close()
            self.source.stop()
            # The interpreter gives signals their defaults back while it ends: ctrl+c once more would kill it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def on_unmount(self) -> None:
        """Take no more Frames."""
        self.bridge.close()

    def _handle_exception(self, error: Exception) -> None:
        """Keep the first; who runs the application says it in one sentence."""
        if self._exit:
            # From exit() on no widget counts as attached: what was typed before may fail on that.
            self._close_messages_no_wait()
            return
        self.failure = self.failure or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Leave without Textual's traceback: it prints all local variables, with what others wrote."""
        self._close_messages_no_wait()

    def _display(self, screen: Screen[object], renderable: Any) -> None:
        """Write what changed on ``screen``, and no more."""
        if type(renderable) is ChopsUpdate:
            renderable = Changes(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)

    def notify(self, message: str, **options: Any) -> None:
        """Say ``message`` alone: several would stand on lines that they speak of."""
        self.clear_notifications()
        super().notify(message, **options)

    # -- actions -------------------------------------------------------------

    async def action_quit(self) -> None:
        """Leave."""
        self.exit()

    def action_repaint(self) -> None:
        """Draw everything anew, whatever else wrote on the terminal."""
        self.refresh()

    def action_suspend_process(self) -> None:
        """Stop; but a process that no shell can have go on would be stopped for good."""
        if os.getpgrp() == os.getsid(0):
            self.notify("There is no shell to go back to.", markup=False)
        else:
            super().action_suspend_process()

    def action_command_palette(self) -> None:
        """Offer the commands."""
        from ktop.ui.textual_fixes.modal import Commands

        if not isinstance(self.screen, Commands):
            self.push_screen(Commands())

    def action_interval(self, step: int) -> None:
        """Sample more or less often."""
        self.view.interval_s = next_interval(self.view.interval_s, step)
        self.source.set_interval(self.view.interval_s)
        self.redraw()

    def action_measure_cost(self) -> None:
        """Have the kernel time the BPF programs for a moment."""
        text = self.source.measure_cost(COST_S)
        if text is None:
            text = f"The BPF programs are timed for {COST_S:g} seconds; see the end of the status line."
            # Whoever looked elsewhere is told at the end, when the last of it has come.
            self.set_timer(COST_S + 2 * self.view.interval_s, self._say_cost)
        self.notify(text, markup=False)

    def _say_cost(self) -> None:
        """Say what the programs took in the last measurement."""
        frames = self.bridge.history.frames(HOST, since=self.bridge.now - COST_S - 2 * self.view.interval_s)
        ratios = [frame.host["bpf_ratio"] for frame in frames if "bpf_ratio" in frame.host]
        if ratios:
            share = percent(sum(ratios) / len(ratios))
            self.notify(f"The BPF programs took {share} of one CPU.", markup=False)

    def action_help(self) -> None:
        """Explain the keys of the screen in sight, and the numbers of its panes."""
        from ktop.ui.help_screen import HelpScreen
        from ktop.ui.process_screen import ProcessScreen

        screen = self.screen
        panes: Sequence[Pane] = ()
        others: list[tuple[str, Sequence[BindingType]]] = [("ktop", keys.APP)]
        if isinstance(screen, ProcessScreen):
            panes = screen.panes
            own: list[tuple[str, Sequence[BindingType]]] = [("Process", keys.PROCESS)]
        elif isinstance(screen, MainScreen):
            table: Sequence[BindingType] = keys.VIEW
            if screen.pane_view is not None:
                pane = screen.pane_view.pane
                panes = (screen.pane_view.shown_pane,)
                table = keys.working([*keys.VIEW, *screen.pane_view.table.BINDINGS], pane)
            own = [("Table", table)]
            if panes and isinstance(panes[0].chart, Heatmap):
                own.append(("Heatmap", keys.MAP))
            others = [("Time", keys.TIME), ("Panes", keys.PANES), *others]
        else:
            return
        latest = [self.bridge.history.latest(pane.name) for pane in panes]
        statuses = [frame.status if frame is not None else None for frame in latest]
        self.push_screen(
            HelpScreen(
                list(zip(panes, statuses, strict=True)),
                [(title, self._worded(bindings)) for title, bindings in own],
                [(title, self._worded(bindings)) for title, bindings in others],
                recorded=self.source.identity.recorded,
            )
        )

    def redraw(self) -> None:
        """Draw what the screens in sight show anew."""
        for screen in self.screen_stack:
            if isinstance(screen, TimeKeys):
                screen.redraw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return what the command palette offers over ``screen``: nothing that would happen unseen."""
        main = self.screen_stack[0]
        if isinstance(main, MainScreen):
            for number, pane in enumerate(self.panes, start=1):
                yield SystemCommand(
                    f"Pane: {pane.name}", pane.question, lambda number=number: self._go_to(main, number)
                )
            table = keys.VIEW if screen is main else []
            shown = main.pane_view.pane if main.pane_view is not None else None
            for binding in self._worded(keys.working([*table, *keys.TIME], shown)):
                yield SystemCommand(
                    _title(binding), binding.tooltip, lambda key=binding.action: self._act(key, screen)
                )
        for theme in THEMES:
            yield SystemCommand(
                f"Theme: {theme.name.removeprefix('ktop-')}",
                "Colours",
                lambda name=theme.name: setattr(self, "theme", name),
            )
        for binding in self._worded(keys.APP):
            if binding.id in {"app.palette", "app.interrupt"}:
                continue  # it is open; and "quit" stands there once
            yield SystemCommand(
                _title(binding),
                binding.tooltip,
                lambda key=binding.action: self._act(key, self),
            )

    def _worded(self, bindings: Iterable[BindingType]) -> list[Binding]:
        """Return ``bindings`` as they are explained for this source, with the keys that they have."""
        return keys.rebound(keys.worded(bindings, recorded=self.source.identity.recorded), self.keymap)

    def _go_to(self, main: MainScreen, number: int) -> None:
        """Show pane ``number``, instead of the process that is looked at."""
        if self.screen is not main:
            self.screen.dismiss()
        main.action_pane(number)

    def _act(self, action: str, namespace: object) -> None:
        """Run the action of a binding."""
        self.call_later(self.run_action, action, namespace)


def _title(binding: Binding) -> str:
    """Return the name of the command: "BPF cost" keeps its capitals."""
    return binding.description[:1].upper() + binding.description[1:]


def _settle() -> None:
    """Collect once what the start left behind; what is still there no later collection need look at."""
    gc.collect()
    gc.freeze()
