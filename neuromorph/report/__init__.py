"""Reports: written, read back, shown as a page or in a terminal, and compared."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuromorph.devices.metrics import Metric as Metric
    from neuromorph.report.comparing import compare as compare
    from neuromorph.report.model import Report as Report
    from neuromorph.report.write import read_report as read_report
    from neuromorph.report.write import write_report as write_report

_HOMES = {
    "Metric": "model", "Report": "model", "compare": "comparing", "read_report": "write", "write_report": "write",
}  # fmt: skip

__all__ = ["Metric", "Report", "compare", "read_report", "write_report"]


def __getattr__(name: str) -> Any:
    # loaded on first use, so that the command line starts fast
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
