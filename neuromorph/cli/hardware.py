"""Commands: architectures and devices, each list, show, check, schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from neuromorph.hardware.component import Architecture, Component, Datasheet, Source

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Name = Annotated[str, typer.Argument(help="A name from the list, or a YAML file.")]
Files = Annotated[list[str], typer.Argument(help="YAML files or names.")]


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from neuromorph.terminal import table

    table(title, columns, rows, left=len(columns))


def _print_sources(sources: Iterable[Source]) -> None:
    rows = [(s.key, s.citation, s.url) for s in sources]
    if rows:
        _table("Sources", ("key", "citation", "url"), rows)


def _check_files(files: Sequence[str], load: Callable[[str], Any]) -> None:
    """Loads every file, prints one line for each good one, raises the problems of all others together."""
    from neuromorph.errors import InputError

    problems: dict[Any, None] = {}
    for name in files:
        try:
            load(name)
            typer.echo(f"{name}: ok")
        except InputError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise InputError(list(problems))


def _quantity_rows(part: Datasheet) -> list[tuple[str, ...]]:
    from neuromorph.hardware.describe import show_value, spread

    rows: list[tuple[str, ...]] = [
        (name, show_value(q.value, q.unit), spread(q), q.basis, q.source, q.where)
        for name, q in part.quantities.items()
    ]
    s = part.supply
    if s is not None:
        ends = f"{show_value(s.low, 'V')} .. {show_value(s.high, 'V')}"
        rows.append(("supply", show_value(s.at, "V"), ends, s.basis, s.source, s.where))
    return rows


def _show_component(component: Component, total: int) -> None:
    from neuromorph.hardware.describe import show_value
    from neuromorph.hardware.fields import declared

    rows: list[tuple[str, ...]] = []
    for name, spec in declared(component.kind.settings).items():
        value = getattr(component.settings, name)
        basis = "default" if not spec.required and value == spec.default else "chosen"
        rows.append((name, show_value(value, spec.unit), "", basis, "", spec.doc))
    if component.part is not None:
        rows.extend(_quantity_rows(component.part))
    part = f", part {component.part.name}" if component.part is not None and component.part.name else ""
    title = f"{component.path}: {component.kind.name} x {component.count} ({total} in all){part}"
    if rows:
        _table(title, ("name", "value", "range", "basis", "source", "where"), rows)
    else:
        typer.echo(title + "\n")


def _physics_rows(found: Architecture) -> list[tuple[str, ...]]:
    from neuromorph.devices.protocol import kind_of

    if not _hosts(found):
        return []
    rows = sorted(kind_of(found).physics(found), key=lambda p: not p.included)
    return [(p.name, "yes" if p.included else "no", p.note) for p in rows]


def _absent(found: Architecture) -> tuple[str, ...]:
    from neuromorph.devices.protocol import kind_of

    return kind_of(found).absent(found) if _hosts(found) else ()


def _hosts(found: Architecture) -> bool:
    """Whether it is whole enough for a kind to host networks on it; parts of one can be looked at too."""
    from neuromorph.devices.protocol import kind_of
    from neuromorph.errors import InputError

    try:
        kind_of(found).effects(found)
    except InputError:
        return False
    return True


def _show_architecture(found: Architecture) -> None:
    typer.echo(f"{found.name}: {found.title}\nboundary: {found.boundary}\nfile: {found.file}")
    if found.notes:
        typer.echo(found.notes)
    typer.echo("")
    for component, total in found.chip.walk():
        _show_component(component, total)
    _table("Physics", ("physics", "included", "how, or why not"), _physics_rows(found))
    for line in _absent(found):
        typer.echo(f"not modelled: {line}")
    _print_sources(found.sources.values())


def _architectures() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Architectures: list, show, check, schema.")

    @group.command("list")
    def list_(as_json: AsJson = False) -> None:
        """List the shipped architectures."""
        from neuromorph.hardware import catalog

        found = [catalog.load_architecture(name) for name in catalog.architecture_names()]
        if as_json:
            _print_json([{"name": a.name, "title": a.title, "boundary": a.boundary, "file": a.file} for a in found])
        else:
            _table("", ("name", "title", "boundary"), [(a.name, a.title, a.boundary) for a in found])

    @group.command()
    def show(name: Name, as_json: AsJson = False) -> None:
        """Show every component with its settings and quantities: unit, basis, source."""
        from neuromorph.hardware import catalog, describe

        found = catalog.load_architecture(name)
        if as_json:
            rows = [{"name": n, "included": said == "yes", "note": note} for n, said, note in _physics_rows(found)]
            _print_json({**describe.architecture(found), "physics": rows, "absent": list(_absent(found))})
        else:
            _show_architecture(found)

    @group.command()
    def check(files: Files) -> None:
        """Check architecture files; all problems are printed, and the exit code is 2 if there is one."""
        from neuromorph.hardware import catalog

        _check_files(files, catalog.load_architecture)

    @group.command()
    def schema() -> None:
        """Print the JSON Schema of architecture files, for editors."""
        from neuromorph.hardware.jsonschema import architecture_schema

        _print_json(architecture_schema())

    return group


def _devices() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Datasheets of devices and parts: list, show, check, schema.")

    @group.command("list")
    def list_(
        kind: Annotated[str, typer.Option("--kind", help="Only parts of this component kind.")] = "",
        as_json: AsJson = False,
    ) -> None:
        """List the shipped datasheets."""
        from neuromorph.errors import InputError, Place, suggest
        from neuromorph.hardware import catalog

        found = [catalog.load_datasheet(name) for name in catalog.datasheet_names()]
        kinds = sorted({d.kind for d in found})
        if kind and kind not in kinds:
            raise InputError(f"no datasheet is of kind {kind!r}", Place(key="--kind"), suggest(kind, kinds, "kinds"))
        found = [d for d in found if kind in ("", d.kind)]
        if as_json:
            _print_json([{"name": d.name, "kind": d.kind, "title": d.title, "file": d.file} for d in found])
        else:
            rows = [(d.name, d.kind, d.title) for d in sorted(found, key=lambda d: (d.kind, d.name))]
            _table("", ("name", "kind", "title"), rows)

    @group.command()
    def show(name: Name, as_json: AsJson = False) -> None:
        """Show every quantity with its unit, basis and source."""
        from neuromorph.hardware import catalog, describe

        found = catalog.load_datasheet(name)
        if as_json:
            _print_json(describe.datasheet(found))
            return
        typer.echo(f"{found.name}: {found.title}\nkind: {found.kind}\nfile: {found.file}")
        if found.notes:
            typer.echo(found.notes)
        _table("", ("name", "value", "range", "basis", "source", "where"), _quantity_rows(found))
        _print_sources(found.sources.values())

    @group.command()
    def check(files: Files) -> None:
        """Check datasheets; all problems are printed, and the exit code is 2 if there is one."""
        from neuromorph.hardware import catalog

        _check_files(files, catalog.load_datasheet)

    @group.command()
    def schema() -> None:
        """Print the JSON Schema of datasheets, for editors."""
        from neuromorph.hardware.jsonschema import datasheet_schema

        _print_json(datasheet_schema())

    return group


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(_architectures(), name="architectures")
    app.add_typer(_devices(), name="devices")
