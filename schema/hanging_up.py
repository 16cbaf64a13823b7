"""Clients that hang up: nothing goes on for somebody who is gone."""

import asyncio

from schema.requests import Receive

_WATCH_AFTER = 0.05


class Watch:
    """Cancels the task that made it when the client hangs up. Looks only once the answer takes a while."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._answering = asyncio.current_task()
        self._looking: asyncio.Task[None] | None = None
        self._start = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._look)

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._answering is not None:
            self._answering.cancel()

    def stop(self) -> None:
        """Look no more."""
        self._start.cancel()
        if self._looking is not None:
            self._looking.cancel()
