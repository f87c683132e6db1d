"""Command: validate, published measurements beside what this package predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuromorph.validate import Comparison, Summary


def validate(
    fixtures: Annotated[
        list[str] | None, typer.Argument(help="Fixtures to compare, names or files; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw predicted against measured into this file.")] = None,
) -> None:
    """Print published measurements beside what networks placed, counted, timed and priced here come to.

    fitted: a parameter was solved from the measurement, which is named. held out: nothing here was set from it. design
    study: published, but there is no silicon.
    """
    from neuromorph.validate import summaries
    from neuromorph.validate import validate as compare

    found = compare(fixtures or ())
    if plot is not None:
        from neuromorph.sweep.plots import save
        from neuromorph.validate.plot import plot as draw

        save(draw(found), plot)
    if as_json:
        _print_json(found, summaries(found))
        return
    for standing in dict.fromkeys(c.standing for c in found):
        _print_standing(standing, [c for c in found if c.standing == standing])
    _print_summaries(summaries(found))


def _print_json(found: Sequence[Comparison], rows: Sequence[Summary]) -> None:
    import dataclasses
    import json

    comparisons = [{**dataclasses.asdict(c), "deviation": c.deviation, "covered": c.covered} for c in found]
    data = {"schema": 2, "comparisons": comparisons, "summary": [dataclasses.asdict(r) for r in rows]}
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def _percent(deviation: float | None, sign: str = "+") -> str:
    if deviation is None:
        return ""
    return "0.0%" if abs(deviation) < 0.0005 else f"{deviation:{sign}.1%}"


def _print_standing(standing: str, found: Sequence[Comparison]) -> None:
    from neuromorph.terminal import table
    from neuromorph.validate.quantities import QUANTITIES

    columns = ("chip", "figure", "quantity", "published", "ours", "deviation", "remark")
    rows = []
    for c in found:
        shown = QUANTITIES[c.quantity].shown
        remark = f"{c.fitted} was solved from it" if c.fitted else ""
        remark += ("; " if remark and c.note else "") + c.note
        remark += (" " if remark else "") + "(within the range of published prices)" if c.covered else ""
        rows.append(
            (c.fixture, c.label, c.quantity, shown(c.published), shown(c.ours), _percent(c.deviation), remark)
        )  # fmt: skip
    table(standing, columns, rows, left=("chip", "figure", "quantity", "remark"))


def _print_summaries(rows: Sequence[Summary]) -> None:
    from neuromorph.terminal import table

    columns = ("standing", "quantity", "figures", "not modelled", "median deviation", "largest", "of")
    cells = (
        (r.standing, r.quantity, r.number, r.unmodelled or "", _percent(r.median, ""), _percent(r.largest, ""), r.worst)
        for r in rows
    )
    table("deviations", columns, cells, left=("standing", "quantity", "of"))
    typer.echo("one multiply-accumulate counts as two operations; --json has the source and conditions of every figure")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("validate")(validate)
