"""What a sweep returns: its table, with the ways to look at it and to hand it on."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromorph.card import Card
from neuromorph.errors import InputError, MissingExtraError, Place
from neuromorph.files import write_file
from neuromorph.sweep import table
from neuromorph.sweep.space import split_value


@dataclass(frozen=True, repr=False)
class SweepResult(Card):
    """The rows of a sweep, one per point in the order of its axes. `parameters` names the columns that were varied."""

    rows: list[dict[str, Any]]
    parameters: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        done = sum(r["status"] == "done" for r in self.rows)
        facts = [("varied", ", ".join(self.parameters)), ("done", f"{done} of {len(self.rows)}")]
        for name in ("accuracy", "energy_j", "latency_s", "area_m2"):
            known = [r[name] for r in self.rows if r.get(name) is not None]
            facts += [(name, f"{min(known):.4g} to {max(known):.4g}")] if known else []
        return f"sweep of {len(self.rows)} points", facts

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        return {"points": self.rows}

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, ends of intervals left out."""
        return table.metric_names(self.rows, self.parameters)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows of points that gave no result, each with its `error`."""
        return [r for r in self.rows if r["status"] not in ("done", "misfit")]

    def column(self, name: str) -> list[Any]:
        """One column. Raises InputError that lists the columns where there is no such."""
        table.require_column(self.rows, name)
        return [r[name] for r in self.rows]

    def pareto(self, *, minimise: Sequence[str] = (), maximise: Sequence[str] = ()) -> list[table.Row]:
        """The rows that no other beats in these metrics."""
        return table.pareto(self.rows, minimise=minimise, maximise=maximise)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV; also written to `path` where given, whole or not at all."""
        text = table.to_csv(self.rows)
        if path is not None:
            write_file(path, text)
        return text

    def plot(self, folder: str | Path, *, metrics: Sequence[str] | None = None, kind: str = "png") -> list[Path]:
        """Write pictures of these metrics, the headline ones if None, into an existing folder.

        See `neuromorph.sweep.plots` for single ones.
        """
        from neuromorph.sweep.plots import plot_all

        return plot_all(self.rows, self.parameters, folder, metrics=metrics, kind=kind)

    def to_parquet(self, path: str | Path) -> Path:
        """The table as a Parquet file. Raises MissingExtraError without pyarrow."""
        arrow, parquet = _extra("pyarrow"), _extra("pyarrow.parquet")
        columns = {n: _one_type(self.column(n)) for n in (self.rows[0] if self.rows else ())}
        sink = arrow.BufferOutputStream()
        parquet.write_table(arrow.table(columns), sink)
        return write_file(path, sink.getvalue().to_pybytes())

    def to_xarray(self) -> Any:
        """An xarray.Dataset with a dimension per varied parameter; combinations without a point are NaN.

        Raises MissingExtraError without xarray, InputError where the points are no grid (as after random sampling).
        """
        import numpy as np

        xarray = _extra("xarray")
        axes = {p: list(dict.fromkeys(self.column(p))) for p in self.parameters}
        shape = tuple(len(v) for v in axes.values())
        if np.prod(shape) > max(4 * len(self.rows), 16):
            raise InputError(
                f"{len(self.rows)} points are no grid of {' x '.join(map(str, shape))}",
                Place(key="to_xarray"),
                "use to_csv or to_parquet",
            )
        names = [n for n in self.rows[0] if n not in self.parameters and n not in ("status", "error")]
        arrays = {n: np.full(shape, np.nan) for n in names}
        for r in self.rows:
            at = tuple(values.index(r[p]) for p, values in axes.items())
            for n in names:
                arrays[n][at] = np.nan if r[n] is None else r[n]
        coordinates = {p: [_coordinate(v) for v in values] for p, values in axes.items()}
        return xarray.Dataset({n: (list(axes), a) for n, a in arrays.items()}, coords=coordinates)


def _one_type(values: list[Any]) -> list[Any]:
    """Values of a column that holds words beside numbers become texts."""
    kinds = {float if type(v) in (int, float) else type(v) for v in values if v is not None}
    return values if len(kinds) <= 1 else [None if v is None else str(v) for v in values]


def _coordinate(value: Any) -> Any:
    """A factor as its number; any other text stays as it is written."""
    number, unit = split_value(value)
    return number if unit == "x" else value


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(module.partition(".")[0], "tables") from None
