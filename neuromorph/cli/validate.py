"""Command: validate, published figures beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neuromorph.validate import Comparison


LONG = 15
"""Calibrated tables with more rows are condensed unless --all is given."""


CHECK_TOLERANCE = 0.02
"""Published parts that miss their total by more are flagged."""


def validate(
    fixtures: Annotated[list[str] | None, typer.Argument(help="Fixtures to compare; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Print every row of long calibrated tables.")] = False,
) -> None:
    """Print published figures beside ours, with the deviation.

    calibrated: a figure the datasheets were made from or one quantity was solved for. predicted:
    nothing was fitted to it. check: published parts against their published total.
    """
    from neuromorph.validate import validate as compare

    found = compare(fixtures or ())
    if as_json:
        _print_json(found)
        return
    for name in dict.fromkeys(c.fixture for c in found):
        rows = [c for c in found if c.fixture == name]
        _print_table(name, rows if every else list(_condensed(rows)))
    _print_summary(found)


def _print_json(found: Sequence[Comparison]) -> None:
    import dataclasses
    import json

    rows = [{**dataclasses.asdict(c), "deviation": c.deviation} for c in found]
    typer.echo(json.dumps({"schema": 1, "comparisons": rows}, indent=2, ensure_ascii=False))


def _condensed(found: Sequence[Comparison]) -> Iterator[Comparison]:
    """Long calibrated tables as their worst row, which says for how many it stands."""
    import dataclasses

    tables: dict[tuple[str, str], list[Comparison]] = {}
    for c in found:
        # the table is what the label says before its colon
        tables.setdefault((c.label.split(": ")[0], c.role), []).append(c)
    for (_, role), rows in tables.items():
        if role != "calibrated" or len(rows) <= LONG:
            yield from rows
            continue
        worst = max(rows, key=lambda c: abs(c.deviation))
        yield dataclasses.replace(worst, note=f"largest of {len(rows)} deviations" + (worst.note and f"; {worst.note}"))


def _percent(deviation: float) -> str:
    return "0.0%" if abs(deviation) < 0.0005 else f"{deviation:+.1%}"


def _shown(value: float, unit: str) -> str:
    from neuromorph import units
    from neuromorph.devices.measures import PLAIN

    if unit in PLAIN:
        return f"{value:.4g}" + ("" if unit == "1" else f" {unit}")
    if unit == "m^2":
        return f"{value * 1e6:.4g} mm2" if value >= 1e-8 else f"{value * 1e12:.4g} um2"
    return units.format_si(value, unit)


def _print_table(name: str, found: Sequence[Comparison]) -> None:
    from neuromorph.terminal import table

    sources = "; ".join(dict.fromkeys(c.source.split("; ")[0] for c in found))
    columns = ("figure", "published", "ours", "deviation", "role", "remark")
    rows = [
        (c.label, _shown(c.published, c.unit), _shown(c.ours, c.unit), _percent(c.deviation), c.role, c.note)
        for c in found
    ]
    table(f"{name}: {sources}", columns, rows, left=("figure", "role", "remark"))


def _print_summary(found: Sequence[Comparison]) -> None:
    for role in dict.fromkeys(c.role for c in found):
        deviations = sorted(abs(c.deviation) for c in found if c.role == role)
        middle = deviations[len(deviations) // 2]
        typer.echo(f"{role}: {len(deviations)} figures, median deviation {middle:.1%}, largest {deviations[-1]:.1%}")
    for c in found:
        if c.role == "check" and abs(c.deviation) > CHECK_TOLERANCE:
            typer.echo(f"{c.fixture}, {c.label}: the published figures disagree with each other by {c.deviation:+.1%}")
    typer.echo("one multiply-accumulate counts as two operations")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("validate")(validate)
