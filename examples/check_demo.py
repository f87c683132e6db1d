"""Looks at what the demo wrote: every report is there, adds up, and says something plausible."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

LEAST_ACCURACY = 0.9
"""Below this even a noisy chip has not run the network it was given."""

LEAST_SPIKING = {"lenet-snn": 0.9, "nmnist-conv": 0.75, "digits-delays": 0.6}
"""The same for the spiking networks, whose float networks reach less (see the notes beside them)."""

LEAST_WITH_LOSSES = {("nmnist-conv", "spinnaker1"): 0.5}
"""Chips that lose packets at this network's pace: their answers are those without them; the report says how many."""

LEAST_TRANSFORMERS = {"characters": 0.4, "fashion": 0.6}
"""The same for the transformers, of few rows of text and few images (float: 0.57 and 0.88)."""


def check(folder: Path) -> list[str]:
    """Faults of a demo folder; none if all is well."""
    faults = []
    reports = [p for p in sorted(folder.glob("*/*/report.json")) if p.parts[-3] not in ("spiking", "transformers")]
    spiking = sorted((folder / "spiking").glob("*/*/report.json"))
    if len(reports) != 40:
        faults.append(f"{len(reports)} reports, expected 40")
    if len(spiking) != 11:
        faults.append(f"{len(spiking)} reports of spiking networks, expected 11")
    transformers = sorted((folder / "transformers").glob("*/*/report.json"))
    if len(transformers) != 18:
        faults.append(f"{len(transformers)} reports of transformers, expected 18")
    for path in [*reports, *spiking, *transformers]:
        report = json.loads(path.read_text())
        metrics = {m["name"]: m["value"] for m in report["metrics"]}
        total = math.fsum(r["energy_j"] for r in report["ledger"] if r["energy_j"] is not None)
        if not math.isclose(total, metrics["energy"], rel_tol=1e-9):
            faults.append(f"{path}: ledger adds up to {total} J, report says {metrics['energy']} J")
        if path in reports and len(report["chips"]["accuracy"]) < 10:
            faults.append(f"{path}: fewer than 10 chips")
        network = path.parent.name
        least = LEAST_ACCURACY if path in reports else {**LEAST_SPIKING, **LEAST_TRANSFORMERS}[
            network if path in spiking else network.partition("-")[0]
        ]  # fmt: skip
        if path in spiking:
            least = LEAST_WITH_LOSSES.get((network, path.parts[-3]), least)
        remark = next(m["note"] for m in report["metrics"] if m["name"] == "accuracy")
        if metrics["accuracy"] is None and path in spiking and remark.startswith("not what this chip would compute"):
            pass  # lost and late packets leave it unknown, and the report says how many
        elif metrics["accuracy"] is None or not least <= metrics["accuracy"] <= 1:
            faults.append(f"{path}: accuracy {metrics['accuracy']}")
        for name in ("energy", "latency", "area", "interval") if path in reports else ("energy", "latency"):
            if not metrics[name] or metrics[name] <= 0:
                faults.append(f"{path}: {name} is {metrics[name]}")
        for name in ("report.html", "ledger.csv"):
            if not (path.parent / name).exists():
                faults.append(f"{path.parent / name} is missing")
    for page in (folder / part / "compare.html" for part in ("", "spiking", "transformers")):
        if not page.exists():
            faults.append(f"{page} is missing")
    return faults


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    for fault in found:
        print(f"demo: {fault}", file=sys.stderr)
    print(f"demo: {len(found)} faults")
    sys.exit(1 if found else 0)
