"""Telling how far an import is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn


class Watcher(Protocol):
    """Is told of every advance: what is being done, how much of it is done, and how much there is in all."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """``what`` is ``done`` up to so much of ``total``."""
        ...


def unwatched(what: str, done: int, total: int) -> None:
    """The watcher that looks away."""


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Watcher]:
    """A watcher that shows a bar on the terminal, or on ``console``, for every step of the import."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console or Console(stderr=True)) as progress:

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield watch
