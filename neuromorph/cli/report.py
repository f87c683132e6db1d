"""Commands: show a report again, and compare reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for compare.html, .json and .csv.")]


def report(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="Folder of a run, or a report.json.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write to; left out, the report's own.")
    ] = None,
    show: Annotated[bool, typer.Option("--show-only", help="Print the summary and write nothing.")] = False,
) -> None:
    """Print the summary of a report and write its page and tables again."""
    from neuromorph.report import read_report, write_report
    from neuromorph.report.terminal import summary
    from neuromorph.terminal import show as show_on_terminal

    found = read_report(path)
    show_on_terminal(summary(found))
    if not show:
        folder = output or (path if path.is_dir() else path.parent)
        for written in write_report(found, folder).values():
            typer.echo(f"written: {written}")


def compare(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT...", help="Folders of runs, or report.json files.")],
    output: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare reports side by side: metrics with differences to the first, and which are not beaten."""
    from neuromorph.report import compare as compare_reports
    from neuromorph.report.terminal import comparison_table
    from neuromorph.terminal import show

    found = compare_reports(reports, output)
    if as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        show(comparison_table(found))
    for written in found.files.values():
        typer.echo(f"written: {written}", err=as_json)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("report")(report)
    app.command("compare")(compare)
