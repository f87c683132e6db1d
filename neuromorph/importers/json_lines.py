"""Line numbers of the keys of a JSON text, for messages."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def line_of(text: str, key: str) -> int | None:
    """The 1-based line of a key path such as `nodes[3].fields.weight`, or of its nearest parent that exists.

    >>> line_of('{"a": 1,\\n "b": [\\n  {"c": 2}]}', "b[0].c")
    3
    >>> line_of('{"a": 1,\\n "b": []}', "b[4].c")
    2
    """
    if not key or not text:
        return None
    best: tuple[int, int] | None = None
    stack: list[tuple[str, int, str]] = []  # path of the container, index of the present element, bracket
    waiting, name = "", ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "}]" and stack:
            stack.pop()
        elif token == "," and stack:
            path, index, bracket = stack[-1]
            stack[-1] = (path, index + 1, bracket)
            waiting = ""
        elif token == ":":
            name, waiting = waiting, ""
        else:
            inside = stack[-1] if stack else ("", 0, "")
            if inside[2] == "{" and token[0] == '"' and not waiting and not name:
                waiting = token[1:-1]
                path = f"{inside[0]}.{waiting}" if inside[0] else waiting
            else:
                path = _element(inside, name)
                if token in "{[":
                    stack.append((path, 0, token))
                name = ""
            if path and (key == path or (key.startswith(path) and key[len(path)] in ".[")):
                line = text.count("\n", 0, match.start()) + 1
                if best is None or len(path) > best[0]:
                    best = (len(path), line)
                if key == path:
                    return line
    return None if best is None else best[1]


def _element(container: tuple[str, int, str], name: str) -> str:
    path, index, bracket = container
    if bracket == "[":
        return f"{path}[{index}]"
    return f"{path}.{name}" if path and name else name or path
