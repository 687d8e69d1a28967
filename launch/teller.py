"""Words of a real-time loop, said by somebody else: a terminal that is full or gone must not stop an arm."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the program and send stdout nowhere; an arm goes on without listeners."""
        raise BrokenPipeError


_TERMINAL = _Terminal(stderr=True, markup=False, emoji=False)
_LAST_WORDS_S = 1.0
"""Time to say what is still to be said at the end [s]."""


class Teller:
    """While entered, says texts one after the other in a thread; what it cannot keep up with is lost.

    Args:
        say: Says one text; it may block, and fail.
        n_waiting: Texts that may wait.
    """

    def __init__(self, say: Callable[[str, str], None], *, n_waiting: int = 32) -> None:
        self._say = say
        self._texts: queue.Queue[tuple[str, str] | None] = queue.Queue(n_waiting)
        self._thread = threading.Thread(target=self._work, name="teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(queue.Full):
            self._texts.put(None, timeout=_LAST_WORDS_S)
            self._thread.join(_LAST_WORDS_S)

    def tell(self, text: str, style: str = "") -> None:
        """Have a text said; returns at once."""
        with suppress(queue.Full):
            self._texts.put_nowait((text, style))

    def _work(self) -> None:
        while (said := self._texts.get()) is not None:
            with suppress(OSError):
                self._say(*said)


def tell_or_lose(text: str, style: str) -> None:
    """Say one line on stderr.

    Raises:
        BrokenPipeError: Its reader has gone; stdout, and the program, stay as they are.
    """
    _TERMINAL.print(text, style=style, highlight=False, soft_wrap=True)
