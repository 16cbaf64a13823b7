"""Compressing answers: those that are long, to those who take it, and none that holds a secret.

An attack such as BREACH needs an answer that holds a secret beside text of the attacker's, and a way to make the victim
ask for it again and again. Only mutations answer secrets (tokens, codes), and they are never compressed; and no page of
another site can ask in the name of its visitor (``schema.requests``).
"""

import asyncio
import zlib

_LEVEL = 1
"""The fastest: level 6 takes three times as long to make an answer a seventh smaller."""
_GZIP = 31
_IN_A_THREAD = 262_144


def pack(body: bytes) -> bytes:
    """The gzip form of ``body``."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


async def packed(body: bytes) -> bytes:
    """The gzip form of an answer; a long one is compressed beside the event loop."""
    return pack(body) if len(body) < _IN_A_THREAD else await asyncio.to_thread(pack, body)
