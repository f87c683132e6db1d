"""Reports as files: report.json, ledger.csv and report.html, and reading report.json back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from neuromorph.errors import InputError, Place
from neuromorph.files import make_folder, write_files

if TYPE_CHECKING:
    from neuromorph.report.model import Report

JSON_NAME, CSV_NAME, HTML_NAME = "report.json", "ledger.csv", "report.html"
LARGEST = 256 * 2**20
"""Bytes of the largest report.json that is read."""

LEDGER_COLUMNS = ("layer", "component", "action", "kind", "count", "each_j", "energy_j", "spread_j", "low_j", "high_j",
                  "boundary", "basis", "source")  # fmt: skip


def write_report(report: Report, folder: str | Path) -> dict[str, Path]:
    """Write report.json, ledger.csv and report.html into `folder`, which is made where it does not exist.

    All files are complete beside the old ones before the first of these is replaced. Raises InputError,
    with files already there left as they were, where the folder cannot be written or is full.
    """
    from neuromorph.report.html import page
    from neuromorph.report.model import Report

    # what is shown is what the file holds, and a report read back gives the same page
    plain = Report.from_dict(report.to_dict())
    texts = {JSON_NAME: to_json(plain), CSV_NAME: ledger_csv(plain), HTML_NAME: page(plain)}
    return write_texts(folder, texts)


def write_texts(folder: str | Path, texts: Mapping[str, str]) -> dict[str, Path]:
    """Write text files into a folder, made where it does not exist: all of them, or none where one does not fit."""
    target = make_folder(folder)
    paths = {name: target / name for name in texts}
    write_files({paths[name]: text for name, text in texts.items()})
    return paths


def to_json(report: Report) -> str:
    """Strict JSON (no NaN), one line per row of a table."""
    lines = []
    for key, value in report.to_dict().items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(_dumps(row) for row in value)
            lines.append(f" {_dumps(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f" {_dumps(key)}: {_dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def ledger_csv(report: Report) -> str:
    """All rows of the ledger with a header; energies in joules, what is not modelled is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LEDGER_COLUMNS)
    for row in report.ledger:
        writer.writerow(["" if row.get(c) is None else row[c] for c in LEDGER_COLUMNS])
    return out.getvalue()


def read_report(path: str | Path) -> Report:
    """The report in a file, or in the report.json of a run's folder.

    Raises InputError: no such file, not JSON or cut short, another schema version, keys missing or of a wrong type.
    """
    from neuromorph.report.check import problems
    from neuromorph.report.model import SCHEMA, Report

    file = Path(path)
    if file.is_dir():
        file = file / JSON_NAME
        if not file.is_file():
            raise InputError(f"the folder has no {JSON_NAME}", Place(str(path)), "name the folder of a run")
    data = _load(file)
    if not isinstance(data, dict) or "schema" not in data:
        raise InputError("not a report: it has no key 'schema'", Place(str(file)), f"name the {JSON_NAME} of a run")
    schema = data["schema"]
    if schema != SCHEMA or isinstance(schema, bool):
        raise InputError(
            f"schema version {str(schema)[:40]} is not known", Place(str(file), key="schema"),
            f"this version reads {SCHEMA}: run the network again, or read it with the version that wrote it",
        )  # fmt: skip
    found = problems(data, str(file))
    if found:
        raise InputError(found)
    return Report.from_dict(data)


def _load(file: Path) -> Any:
    where = Place(str(file))
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise InputError(f"too large for a report: {size} bytes, at most {LARGEST} are read", where)
        text = file.read_bytes().decode()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where, "check the path") from error
    except UnicodeDecodeError:
        raise InputError("not a text file", where, f"name the {JSON_NAME} of a run") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = Place(str(file), error.lineno, error.colno)
        if not text[error.pos :].strip() or "Unterminated" in error.msg:
            raise InputError("the file ends too early: it was cut short", at, "run the network again") from None
        raise InputError(f"not JSON: {error.msg}", at, f"name the {JSON_NAME} of a run") from None
    except ValueError as error:
        raise InputError(f"not JSON: {error}", where, f"name the {JSON_NAME} of a run") from None
    except RecursionError:
        raise InputError("not a report: nested too deeply", where, f"name the {JSON_NAME} of a run") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
