"""Signals that end a run early: Ctrl-C, and those that a scheduler sends before it takes the machine away."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopSignal"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class StopSignal:
    """Context in which SIGINT, SIGTERM, SIGHUP and SIGUSR1 are recorded in `name` and do not end the process.

    A second Ctrl-C is the usual `KeyboardInterrupt`: an update, or a validation, can be long. Only a process's main
    thread receives signals; elsewhere the context has no effect.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            # Windows has no SIGUSR1.
            numbers = [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
            taken = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
            self._before = {number: signal.signal(number, self._note) for number in taken}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == self.name == "SIGINT":
            raise KeyboardInterrupt
        self.name = name
