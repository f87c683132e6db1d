"""How results show themselves: one line as `repr`, a text as `summary()`, a card in notebooks, tables as DataFrames."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from neuromorph.errors import InputError, MissingExtraError, Place, suggest

Rows = Sequence[Mapping[str, Any]]

MOST_FACTS, MOST_ROWS = 16, 12
"""Lines of a card, so that it fits a screen."""

_STYLE = "border-collapse:collapse;font-size:90%"


class Card:
    """Base of results that are looked at. A class says its title, its facts and its tables."""

    def card(self) -> tuple[str, Sequence[tuple[str, str]]]:
        """A title, and (label, text) of what to know first."""
        raise TypeError(f"{type(self).__name__} defines no card")

    def tables(self) -> Mapping[str, Rows]:
        """Tables by name, those that `to_frame` makes; the first is what it makes where none is named, and what a card
        shows. Columns bear their SI unit: energy_j, latency_s."""
        return {}

    def __repr__(self) -> str:
        title, facts = self.card()
        told = ", ".join(f"{label} {text}" for label, text in facts[:4])
        return f"<{type(self).__name__} {title}: {told}>"[:400]

    def summary(self) -> str:
        """The card as text."""
        title, facts = self.card()
        width = max((len(label) for label, _ in facts), default=0)
        return "\n".join([title, *(f"  {label:{width}}  {text}" for label, text in facts)])

    def _repr_html_(self) -> str:
        title, facts = self.card()
        lines = [f"<tr><th style='text-align:left'>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>"
                 for a, b in facts[:MOST_FACTS]]  # fmt: skip
        tables = self.tables()
        named = next(iter(tables), "")
        more = f"<p style='font-size:80%'>to_frame: {', '.join(map(html.escape, tables))}</p>" if tables else ""
        body = f"<table style='{_STYLE}'>{''.join(lines)}</table>{_rows(tables[named]) if named else ''}{more}"
        return f"<div><b>{html.escape(title)}</b>{body}</div>"

    def to_frame(self, table: str = "") -> Any:
        """A table as a pandas DataFrame. Raises InputError for a table it does not have, MissingExtraError without
        pandas."""
        tables = self.tables()
        if table != "" and table not in tables:
            raise InputError(f"no table {table!r}", Place(key="table"), suggest(table, tables, "tables"))
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise MissingExtraError("pandas", "tables") from None
        return pandas.DataFrame([dict(row) for row in tables[table or next(iter(tables))]])


def _rows(rows: Rows) -> str:
    """The first rows of a table."""
    if not rows:
        return ""
    names = [n for n in rows[0] if n not in ("error", "note", "citation", "url", "where")][:8]
    head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(row.get(n))}</td>' for n in names)}</tr>" for row in rows[:MOST_ROWS])
    rest = f"<p style='font-size:80%'>{len(rows) - MOST_ROWS} more rows</p>" if len(rows) > MOST_ROWS else ""
    return f"<table style='{_STYLE}'><tr>{head}</tr>{body}</table>{rest}"


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return html.escape(text[:60])
