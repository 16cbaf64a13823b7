"""Reading README.md and docs/: their fenced blocks, and what in them can be tried.

The words after a block's language say what it is::

    ```graphql SALES            an operation as that role's demo account (STRANGER: without a token); the json block
                                with the word "variables" and the one with "answer" that follow belong to it
    ```graphql SALES max_cost=10    the same with a setting
    ```sh                       commands; a curl is tried where an answer follows, others are only parsed
    ```sh run                   commands that are run, in order, on one database for each page
    ```csv file=people.csv      a file for those commands, or one that they must have written
    ```text output              what the command before it prints; a line may leave out parts with …

In variables, "…" stands for the last endCursor. In answers, it stands for a value that differs each time;
``extensions`` are compared only where they are shown.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY = "…"
_WIDTH = 110
_CHANGING = ("at", "requestId", "accessToken", "refreshToken", "expiresAt", "url")
_CURSORS = ("startCursor", "endCursor", "cursor")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str
    span: tuple[int, int]

    @property
    def named(self) -> dict[str, str]:
        return dict(word.split("=", 1) for word in self.words if "=" in word)


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of ``page``."""
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split()
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, tuple(words), match["text"], match.span("text")))
    return found


def following(block: Block, all_blocks: list[Block], word: str) -> Block | None:
    """The json block with ``word`` that belongs to ``block``."""
    for each in all_blocks[all_blocks.index(block) + 1 :]:
        if each.language != "json" or not each.words:
            return None
        if word in each.words:
            return each
    return None


def commands(text: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The commands of a shell block: variables set for each, and its words."""
    pending = ""
    for line in text.replace("\\\n", " ").splitlines():
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # A quote goes on in the next line.
            pending += "\n"
            continue
        pending = ""
        given = {}
        while words and re.match(r"[A-Z_]+=", words[0]):
            name, value = words.pop(0).split("=", 1)
            given[name] = value
        if words or given:
            yield given, words


def curl(words: list[str], variables: dict[str, str]) -> tuple[str, str, dict[str, str], str | None]:
    """The method, path, headers and body of a curl command."""
    method, path, headers, body = "GET", "", {}, None
    rest = iter(words[1:])
    for word in rest:
        if word in ("-H", "-d", "-X"):
            value = next(rest)
            for name, said in variables.items():
                value = value.replace(f"${name}", said)
            if word == "-H":
                key, _, content = value.partition(":")
                headers[key.strip()] = content.strip()
            elif word == "-d":
                method, body = "POST", value
            else:
                method = value
        elif not word.startswith("-"):
            path = "/" + word.split("://")[-1].partition("/")[2]
    return method, path, headers, body


def without_noise(answer: Any, expected: Any) -> Any:
    """``answer`` as it is shown: without extensions where they are not expected."""
    if isinstance(answer, dict) and isinstance(expected, dict) and "extensions" not in expected:
        return {name: value for name, value in answer.items() if name != "extensions"}
    return answer


def agrees(found: Any, expected: Any) -> bool:
    """Whether an answer is the expected one."""
    if expected == _ANY:
        return found is not None
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(agrees(found[name], expected[name]) for name in expected)
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(agrees, found, expected))
    return bool(found == expected and type(found) is type(expected))


def shown(value: Any, indent: str = "", room: int = _WIDTH) -> str:
    """JSON as the pages show it: on one line where it fits."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) <= room - len(indent) or not isinstance(value, dict | list) or not value:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        lines = []
        for name, each in value.items():
            key = f"{inner}{json.dumps(name)}: "
            lines.append(key + shown(each, inner, room - len(name) - 4))
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + shown(each, inner, room) for each in value) + f"\n{indent}]"


def steadied(value: Any) -> Any:
    """``value`` with … for what differs each time."""
    if isinstance(value, dict):
        return {
            name: _ANY if name in (*_CHANGING, *_CURSORS) and each is not None else steadied(each)
            for name, each in value.items()
        }
    return [steadied(each) for each in value] if isinstance(value, list) else value


def last_cursor(answer: Any) -> str | None:
    """The first endCursor in an answer."""
    if isinstance(answer, dict) and answer.get("endCursor"):
        return str(answer["endCursor"])
    inner = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return next((found for each in inner if (found := last_cursor(each))), None)


def prints(output: str, expected: str) -> str | None:
    """The first expected line that is not in ``output``, in order; None where all are."""
    rest = " ".join(output.split())
    for line in expected.splitlines():
        wanted = ".*?".join(re.escape(" ".join(part.split())) for part in line.split(_ANY))
        match = re.search(wanted, rest)
        if match is None:
            return line
        rest = rest[match.end() :]
    return None
