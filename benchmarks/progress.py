"""What a run tells people while it works: on standard error, so that standard output holds nothing but results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

MANY = 100  # steps, of which a log gets to know on the way


class Progress:
    """A bar on a terminal, lines in a log."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False)

    @contextmanager
    def steps(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """The function to call after every step; a last line tells how long they took."""
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        began = time.monotonic()
        with Bar(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task(title, total=total)
            done = count(1)

            def step() -> None:
                bar.advance(task)
                number = next(done)
                if not self._console.is_terminal and total >= MANY and number % (total // 10) == 0:
                    self.say(f"{number} of {total} after {time.monotonic() - began:.0f} s")

            yield step
        self.say(f"{title}: {total} in {time.monotonic() - began:.0f} s")
