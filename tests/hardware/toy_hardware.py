"""A small family of component kinds and files, so that the readers are tested apart from the real kinds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuromorph.hardware.component import Component, ComponentKind, Slot, quantity, setting


@dataclass(frozen=True)
class ChipSettings:
    topology: str = setting(doc="network", affects=("time",), default="mesh", choices=("mesh", "torus", "bus"))


@dataclass(frozen=True)
class XbarSettings:
    rows: int = setting(doc="word lines", affects=("function",), low=1, high=4096)
    columns: int = setting(doc="bit lines", affects=("function",), default=128, low=1, high=4096)
    clock: float = setting("Hz", doc="clock", affects=("time",), default=1e9, low=1e3, high=1e10)
    gain: float = setting(doc="a plain factor", affects=("function",), default=1.0, low=0.0)
    share: float = setting("1", doc="a share", affects=("function",), default=0.5, low=0.0, high=1.0)
    signed: bool = setting(doc="signed inputs", affects=("function",), default=True)
    coding: str = setting(
        doc="input coding", affects=("function",), default="amplitude", choices=("amplitude", "serial")
    )
    span: tuple[int, int] = setting(doc="two limits", affects=("function",), default=(0, 1))
    supplies: tuple[float, ...] = setting("V", doc="supplies", affects=("energy",), default=(1.0,), low=0.0, high=5.0)
    width: int | None = setting(doc="grid width", affects=("time",), default=None, low=1)
    word: int = setting("bit", doc="word length", affects=("energy",), default=8, low=1, high=64)
    label: str = setting(doc="free text", affects=("function",), default="")


@dataclass(frozen=True)
class CellQuantities:
    g_max: float = quantity("S", doc="largest conductance", affects=("function",), required=True, low=1e-9, high=1e-2)
    noise: object = quantity("S", doc="programming noise over g/g_max", affects=("function",), shape="curve")
    levels: object = quantity("S", doc="levels", affects=("function",), shape="list", high=1e-2)
    read_voltage: float = quantity("V", doc="read voltage", affects=("function", "energy"), high=5.0)
    stuck: float = quantity("1", doc="share of stuck cells", affects=("function",), high=1.0)


@dataclass(frozen=True)
class AdcSettings:
    bits: int = setting(doc="resolution", affects=("function", "energy"), default=8, low=1, high=16)
    supply: float = setting("V", doc="supply", affects=("energy",), default=1.0, low=0.1, high=5.0)


@dataclass(frozen=True)
class AdcQuantities:
    energy: float = quantity(
        "J", doc="energy of a conversion", affects=("energy",), required=True, low=1e-18, high=1e-6
    )
    supply: float = quantity("V", doc="supply it was measured at", affects=("energy",), high=5.0)


def _check(xbar: Component) -> list[str]:
    adc = xbar.get("adc")
    found = []
    if xbar.settings.columns > xbar.settings.rows * 64:
        found.append(f"columns: {xbar.settings.columns} columns for {xbar.settings.rows} rows")
    if adc is not None and adc.settings.bits > xbar.settings.word:
        found.append(f"an ADC of {adc.settings.bits} bits needs a longer word than {xbar.settings.word}")
    return found


KINDS = (
    ComponentKind("chip", "toy chip", ChipSettings, slots={"tile": Slot(("toytile",))}),
    ComponentKind("toytile", "toy tile", slots={"core": Slot(("toycore",))}),
    ComponentKind(
        "toyxbar",
        "toy crossbar",
        XbarSettings,
        slots={"cell": Slot(("toycell",)), "adc": Slot(("toyadc",), required=False)},
        check=_check,
        family="toycore",
    ),
    ComponentKind("toydigital", "toy digital core", family="toycore"),
    ComponentKind("toycell", "toy cell", quantities=CellQuantities),
    ComponentKind("toyadc", "toy converter", AdcSettings, AdcQuantities),
)

CELL = """\
schema: 1
kind: toycell
name: cell-a
title: A cell
sources:
  joshi2020: {citation: "Joshi et al., Nat. Commun. 2020", url: "https://doi.org/10.1038/s41467-020-16108-9"}
quantities:
  g_max: {value: 25 uS, basis: measured, source: joshi2020, where: "Methods", low: 20 uS, high: 30 uS}
  noise: {unit: uS, curve: [{polynomial: [0.26348, 1.9650, -1.1731]}], basis: measured, source: joshi2020, where: Eq. 2}
  levels: {value: [1 uS, 2 uS], basis: derived, source: joshi2020, where: "Fig. 1"}
  read_voltage: {value: 0.2 V, basis: assumed}
  stuck: {value: 1 %, basis: assumed}
"""

ADC = """\
schema: 1
kind: toyadc
name: adc-a
sources:
  shafiee2016: {citation: "Shafiee et al., ISCA 2016"}
quantities:
  energy: {value: 1.56 pJ, basis: derived, source: shafiee2016, where: "Table 6: 2 mW / 1.28 GSa/s"}
"""

CHIP = """\
schema: 1
name: toy
title: A toy
boundary: chip
sources:
  own: {citation: "Own estimate"}
chip:
  topology: mesh
  tile:
    count: 4
    core:
      kind: toyxbar
      count: 2
      rows: 256
      columns: 64
      clock: 100 MHz
      cell: {part: cell-a, count: 16384}
      adc:
        part: adc-a
        bits: 8
"""


def write(folder: Path, **files: str) -> Path:
    """Writes chip.yaml, cell-a.yaml and adc-a.yaml (or the given texts by stem) and returns the chip's path."""
    for stem, text in {"chip": CHIP, "cell-a": CELL, "adc-a": ADC, **files}.items():
        (folder / f"{stem}.yaml").write_text(text, encoding="utf-8")
    return folder / "chip.yaml"
