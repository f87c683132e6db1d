"""The tables of a page: columns, cells with text and sort key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuromorph.costing.ledger import COUNTED_IN
from neuromorph.report.coverage import PARTLY
from neuromorph.report.figures import MISSING, accuracy, count, ledger_total, percent, quantity, share, short_paths

if TYPE_CHECKING:
    from neuromorph.report.coverage import Coverage
    from neuromorph.report.model import Report

MOST_ROWS = 1500
"""Rows of the ledger on the page, largest energies first; ledger.csv has all."""

NOT_APPLICABLE = "–"


@dataclass(frozen=True)
class Cell:
    """text as shown; sort: the number rows are sorted by, None sorts last; title: more on hovering; note: a second
    line; bar: a share from 0 to 1 drawn beside the number."""

    text: str
    sort: float | str | None = None
    title: str = ""
    missing: bool = False
    url: str = ""
    note: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    key: str
    label: str
    numeric: bool = True
    title: str = ""


@dataclass(frozen=True)
class Table:
    """key: the name a page's address sorts it by."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = field(default=())


def text(value: Any, title: str = "") -> Cell:
    return Cell(str(value), str(value), title)


def number(value: float | None, show: Callable[[float], str], missing: str = MISSING) -> Cell:
    """A number's cell; an unknown value reads "not modelled" (or `missing`) and sorts last."""
    if value is None:
        title = "does not apply here, or was not run" if missing == NOT_APPLICABLE else ""
        return Cell(missing, None, title, missing=True)
    return Cell(show(value), value)


def _unit(unit: str) -> Callable[[float], str]:
    return lambda value: quantity(value, unit)


def _blank(n: int) -> tuple[Cell, ...]:
    return (Cell(""),) * n


def _small(value: float) -> str:
    return percent(value, 3) if value else "0 %"


def layers(report: Report) -> Table:
    """One row per layer. Columns that no row has a value in are left out."""
    total = ledger_total(report)
    rows = []
    for row in report.layers:
        energy = row.get("energy_j")
        part = energy / total if energy is not None and total else None

        def plain(key: str, show: Callable[[float], str] = count, row: Mapping[str, Any] = row) -> Cell:
            return number(row.get(key), show, NOT_APPLICABLE)

        rows.append((
            text(row.get("layer", "")), text(row.get("operator", "")), text(row.get("output", "")),
            plain("macs"), plain("weights"), plain("arrays"), plain("cores"), plain("copies"),
            plain("utilisation", _small), number(energy, _unit("J")),
            Cell(*_share(energy, total), missing=energy is None, bar=part),
            plain("snr_db", lambda v: f"{v:.1f}"), plain("clipped", _small), plain("busy", _small),
        ))  # fmt: skip
    columns = (
        Column("layer", "layer", False), Column("operator", "operator", False),
        Column("output", "output", False, "shape of the output"),
        Column("macs", "MACs", title="dense multiply-accumulates of one inference"), Column("weights", "weights"),
        Column("arrays", "arrays", title="arrays of all copies"), Column("cores", "cores"),
        Column("copies", "copies", title="times the layer is on the chip"),
        Column("utilisation", "utilisation", title="cells in use of the arrays in use"),
        Column("energy", "energy", title="of one inference"),
        Column("share", "share", title="of the energy of one inference"),
        Column("snr", "SNR (dB)", title="signal-to-noise ratio of the layer's outputs against the float network"),
        Column("clipped", "clipped", title="values outside a converter's range"),
        Column("busy", "busy", title="part of the time the layer works in a full pipeline"),
    )  # fmt: skip
    keep = [i for i, c in enumerate(columns) if not c.numeric or any(r[i].sort is not None for r in rows)]
    return Table(
        "layers", "Layers in the network's order; click a heading to sort", tuple(columns[i] for i in keep),
        tuple(tuple(r[i] for i in keep) for r in rows),
    )  # fmt: skip


def _share(part: float | None, total: float) -> tuple[str, float | None]:
    if part is None or not total:
        return NOT_APPLICABLE if part is None else share(part, total), None
    return share(part, total), part / total


class References:
    """Sources by number, so that a long citation stands once on the page."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cell(self, source: str) -> Cell:
        if not source:
            return Cell(NOT_APPLICABLE, None, "no source", missing=True)
        n = self.numbers.setdefault(source, len(self.numbers) + 1)
        return Cell(f"[{n}]", n, source)


def ledger(report: Report) -> tuple[Table, list[str]]:
    """Every action with count, price and energy, and the list of sources its last column numbers."""
    total = ledger_total(report)
    references = References()
    short = short_paths(str(r["component"]) for r in report.ledger)
    ranked = sorted(report.ledger, key=lambda r: -(r["energy_j"] if r["energy_j"] is not None else -1.0))
    rows = []
    for row in ranked[:MOST_ROWS]:
        counted = COUNTED_IN.get(row["action"], "")
        each = {"": "J", "s": "W", "J": "1"}[counted]
        low, high = row["low_j"], row["high_j"]
        span = (
            NOT_APPLICABLE if low is None and high is None else f"{quantity(low, each, 3)} – {quantity(high, each, 3)}"
        )
        rows.append((
            text(row["layer"]), Cell(short[row["component"]], row["component"], row["component"]), text(row["action"]),
            text(row["kind"]), number(row["count"], _unit(counted) if counted else count),
            number(row["each_j"], _unit(each)),
            Cell(span, high, missing=span == NOT_APPLICABLE), number(row["energy_j"], _unit("J")),
            Cell(*_share(row["energy_j"], total), missing=row["energy_j"] is None), text(row["basis"]),
            references.cell(row["source"]),
        ))  # fmt: skip
    columns = (
        Column("layer", "layer", False), Column("component", "component", False), Column("action", "action", False),
        Column("kind", "kind", False),
        Column("count", "count", title="actions of one inference; seconds of being on; joules inside an overhead"),
        Column("each", "each", title="energy of one action; watts of being on; joules added per joule inside"),
        Column("range", "range of each"),
        Column("energy", "energy"), Column("share", "share"), Column("basis", "basis", False),
        Column("source", "source"),
    )  # fmt: skip
    sum_cells = (Cell(quantity(total, "J"), total), Cell("100 %" if total else ""))
    foot = (Cell("sum of all rows"), *_blank(6), *sum_cells, *_blank(2))
    left_out = len(ranked) - len(rows)
    notes = (f"{left_out} rows with the smallest energies are in ledger.csv only",) if left_out else ()
    table = Table("ledger", f"All {len(ranked)} rows of the ledger", columns, tuple(rows), foot, notes)
    return table, list(references.numbers)


def area(report: Report) -> Table:
    """Area and static power of every component of the chip."""
    known = [r["area_m2"] for r in report.area if r.get("area_m2") is not None]
    total = sum(known)
    rows = []
    for row in report.area:
        value, source = row.get("area_m2"), str(row.get("source", ""))
        inside = value == 0 and "contained in" in source
        shown = Cell("in another part", 0.0, source) if inside else number(value, _unit("m^2"))
        each = Cell(NOT_APPLICABLE, None, source, missing=True) if inside else number(row.get("each_m2"), _unit("m^2"))
        rows.append((
            text(row["component"]), number(row["count"], count), each, shown,
            Cell(*_share(value, total), missing=value is None), number(row.get("leakage_w"), _unit("W")),
            text(row.get("basis", "") if value is not None else NOT_APPLICABLE), text(source or NOT_APPLICABLE),
        ))  # fmt: skip
    columns = (
        Column("component", "component", False), Column("count", "count"), Column("each", "each"),
        Column("area", "area"), Column("share", "share"), Column("leakage", "static power"),
        Column("basis", "basis", False), Column("source", "source", False),
    )  # fmt: skip
    sum_cell = number(total if known else None, _unit("m^2"))
    foot = (Cell("sum of what is modelled"), *_blank(2), sum_cell, *_blank(4))
    return Table("area", "Area of the chip", columns, tuple(rows), foot)


def effects(report: Report) -> Table:
    """Accuracy regained when one effect is left out, on the same chips."""
    largest = max((abs(r["gain"]) for r in report.effects), default=0.0)

    def points(value: float) -> str:
        return f"{100 * value:+.2f}" if value else "0"

    rows = tuple(
        (
            text("all effects" if r["effect"] == "all" else r["effect"].replace("_", " ")),
            number(r["accuracy"], accuracy),
            Cell(
                f"{points(r['gain'])} ± {100 * r['error']:.2f}", r["gain"], note=effect_parts(r),
                bar=abs(r["gain"]) / largest if largest else None,
            ),
            text("yes" if r["gain"] and effect_ends(r)[0] * effect_ends(r)[1] > 0 else "no"),
        )
        for r in report.effects
    )  # fmt: skip
    columns = (
        Column("effect", "left out", False), Column("accuracy", "accuracy"),
        Column("gain", "regained, points", title="with its standard error over chips and samples"),
        Column("clear", "clear", False, "whether its 95 % interval leaves out 0"),
    )  # fmt: skip
    return Table("effects", "Accuracy without each effect", columns, rows, notes=effect_notes(report))


def coverage(found: Coverage) -> Table:
    """The sums of what all price and of the whole with their ratios to the first; then a row per part of hardware."""
    joules, count_of = found.joules, range(len(found.whole))
    rows = []
    for part in found.parts:
        cells = [
            Cell(quantity(joules[i][part], "J") if joules[i].get(part) is not None else found.status[i][part],
                 joules[i].get(part), missing=joules[i].get(part) is None,
                 note="in part" if found.status[i][part] == PARTLY else "")
            for i in count_of
        ]  # fmt: skip
        rows.append((Cell(part), Cell("yes" if part in found.common else "–"), *cells))
    totals = []
    for name, sums in (("common boundary", found.shared), ("whole of each", found.whole)):
        ratios = [f"× {v / sums[0]:.3g}" if i and v and sums[0] else "" for i, v in enumerate(sums)]
        cells = [Cell(quantity(v, "J") if v else MISSING, v, missing=not v, note=r)
                 for v, r in zip(sums, ratios, strict=True)]  # fmt: skip
        totals.append((Cell(name), Cell(""), *cells))
    columns = (
        Column("part", "part", False),
        Column("common", "in all", False),
        *(Column(f"report{i + 1}", f"{i + 1}") for i in count_of),
    )
    notes = (
        "Ratios hold for the common boundary: the parts that every report prices whole or in part, compute cores with "
        "all that is in them as one part. The ratio of the whole compares what was modelled, not what the chips draw.",
    )
    if not found.common:
        notes = ("No part is priced by all reports: no ratio of their energies holds.",)
    return Table("coverage", "Energy of each part by report", columns, (*totals, *rows), notes=notes)


def physics(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Which physics numbers follow, those that they do first; what is left out without more to say is one row."""
    cells = tuple(
        (text(r["name"]), text("yes") if r["included"] else Cell("no", missing=True), text(r["note"]))
        for r in sorted(rows, key=lambda r: not r["included"])
        if r["included"] or r["note"]
    )
    never = ", ".join(r["name"] for r in rows if not r["included"] and not r["note"])
    cells += ((text(never), Cell("no", missing=True), text("")),) if never else ()
    columns = (*(Column(k, k, False) for k in ("physics", "included")), Column("how", "how, or why not", False))
    return Table("physics", "Physics that these numbers follow and leave out", columns, cells)


def effect_ends(row: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval of a gain; two standard errors in reports of earlier versions."""
    half = 2 * row["error"]
    low, high = row.get("low"), row.get("high")
    return (row["gain"] - half if low is None else low), (row["gain"] + half if high is None else high)


def effect_parts(row: Mapping[str, Any]) -> str:
    """Standard errors of a gain over chips and over test samples, points; empty where a report does not tell."""
    parts = [("chips", row.get("chips_error")), ("samples", row.get("samples_error"))]
    return ", ".join(f"{what} {100 * value:.2f}" for what, value in parts if value is not None)


def effect_notes(report: Report) -> tuple[str, ...]:
    """That gains do not add up, with by how much they do not here."""
    single = [r["gain"] for r in report.effects if r["effect"] != "all"]
    whole = next((r["gain"] for r in report.effects if r["effect"] == "all"), None)
    if whole is None or len(single) < 2:
        return ()
    return (
        f"Effects interact, gains are not additive: single ones sum to {100 * sum(single):+.2f} points, all left out "
        f"together gain {100 * whole:+.2f}.",
    )


def section(found: Mapping[str, Any]) -> Table:
    """A further table of a report; its numbers with their units, unknown ones in words."""

    def cell(value: Any, unit: str | None) -> Cell:
        if unit is None:
            return text(NOT_APPLICABLE if value is None else value)
        return number(value, percent if unit == "%" else _unit(unit), NOT_APPLICABLE)

    columns = tuple(Column(c["key"], c["label"], c["unit"] is not None) for c in found["columns"])
    units = [c["unit"] for c in found["columns"]]
    rows = tuple(tuple(cell(v, u) for v, u in zip(row, units, strict=True)) for row in found["rows"])
    return Table(f"section-{found['key']}", found["title"], columns, rows)


def sources(report: Report) -> Table:
    """Value, range, basis and citation of every constant of the architecture's parts."""
    rows = []
    for r in report.sources:
        low, high, unit = r.get("low"), r.get("high"), r["unit"]
        span = NOT_APPLICABLE if low is None and high is None else f"{quantity(low, unit)} – {quantity(high, unit)}"
        value = r.get("value")
        shown = Cell("curve or table", None, "not a single number; see the datasheet") if value is None else (
            Cell(quantity(value, unit), value)
        )  # fmt: skip
        citation, url = str(r.get("citation") or r.get("source") or ""), str(r.get("url") or "")
        rows.append((
            text(r["part"], str(r.get("component", ""))), text(r["quantity"]), shown, text(span),
            text(r.get("basis", "")), text(r.get("where") or NOT_APPLICABLE),
            Cell(citation or NOT_APPLICABLE, citation, url=safe_url(url)),
        ))  # fmt: skip
    columns = (
        Column("part", "part", False), Column("quantity", "quantity", False), Column("value", "value"),
        Column("range", "range", False), Column("basis", "basis", False), Column("where", "where in the source", False),
        Column("citation", "source", False),
    )  # fmt: skip
    return Table("sources", f"{len(rows)} constants", columns, tuple(rows))


def safe_url(url: str) -> str:
    """The address if it is one of the web, else nothing: other schemes could run code."""
    return url if url.lower().startswith(("https://", "http://")) else ""
