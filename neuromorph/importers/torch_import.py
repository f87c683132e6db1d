"""Models and weights of torch: modules are traced, weight files are read without executing what is in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.model import Graph

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
NESTED = ("state_dict", "model_state_dict", "model", "weights")
"""Keys under which training scripts keep the weights of a checkpoint."""

SUFFIXES = (".pt", ".pth")


def read(path: str | Path) -> Graph:
    """Files of torch.save hold weights, or pickled code that is never run: says how they become a graph."""
    raise InputError(
        "holds weights at most, no network",
        Place(file=str(path)),
        "build the module in Python and write a graph, with the shape of one sample:\n"
        f"  model.load_state_dict(neuromorph.importers.torch_import.read_weights({str(path)!r}))\n"
        "  neuromorph.save_graph(neuromorph.from_torch(model, (1, 28, 28)), 'model.nmg.json')\n",
    )


MAX_EXPANSION = 16
"""How much larger than its file the tensors of a checkpoint may be (tensors that repeat their storage)."""


def from_torch(module: nn.Module, example: Any, *, name: str = "", batch_axis: int = 0, check: bool = True) -> Graph:
    """The module's graph in eval mode; the module is left as it was.

    example: the per-sample shape, such as (1, 28, 28), or a tensor with a batch axis at `batch_axis`; a list of these
    for several inputs. Batch normalizations are folded, pruning masks of torch.nn.utils.prune kept. check: run graph
    and module on random inputs, and refuse the graph where they differ. A module on torch's meta device gives a graph
    whose weights are shapes only, which is placed and priced and not run.
    Raises InputError that names every operator that cannot be hosted with its module path.
    """
    from neuromorph.importers.tracing.reading import read_module

    return read_module(module, example, name, batch_axis, check)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Weights by name from a .safetensors file, or from a checkpoint of torch.save read with weights_only.

    A checkpoint may hold the weights directly or under a usual key (state_dict, model, ...). Raises InputError for
    files of another kind, files with code in them, truncated files, and values that are NaN or Inf.
    """
    path = Path(path)
    place = Place(file=str(path))
    if path.suffix.lower() not in WEIGHT_SUFFIXES:
        raise InputError(f"weights end in {path.suffix!r}", place, f"legal suffixes: {', '.join(WEIGHT_SUFFIXES)}")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"weights file {what}", place, "check the path")
    try:
        found = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_checkpoint(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", place) from None
    problems = []
    for key, value in found.items():
        bad = int((~value.isfinite()).sum()) if value.is_floating_point() else 0
        if bad:
            problems.append(
                Problem(f"{bad} of {value.numel()} values are NaN or Inf", Place(str(path), key=key), "train it again")
            )
    if problems:
        raise InputError(problems)
    return found


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    from neuromorph.importers.portable_fields import kind_of_file

    try:
        return dict(load(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:
        raise InputError(
            f"is no safetensors file: {error}; {kind_of_file(path)}",
            Place(file=str(path)),
            "give a file written by safetensors, or a checkpoint of torch.save named .pt",
        ) from None


def _read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    import warnings

    import torch

    place = Place(file=str(path))
    hint = "save tensors alone: torch.save(model.state_dict(), path)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        refused = next((line for line in lines if "Unsupported" in line or "GLOBAL" in line), lines[0])
        raise InputError(
            f"is not a checkpoint of plain tensors ({type(error).__name__}: {refused.strip()[:160]}); nothing in it "
            "was executed",
            place,
            hint,
        ) from None
    for key in NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"holds {type(found).__name__}, expected tensors by name", place, hint)
    strange = [str(k) for k, v in found.items() if not isinstance(v, torch.Tensor) or not isinstance(k, str)]
    if strange:
        raise InputError(f"{', '.join(strange[:5])} in it is no tensor with a name", place, hint)
    size = sum(math.prod(v.shape) * v.element_size() for v in found.values())
    if size > MAX_EXPANSION * path.stat().st_size + 2**20:
        raise InputError(
            f"holds tensors of {size} bytes in a file of {path.stat().st_size}", place, "save contiguous tensors"
        )
    return {k: v.detach() for k, v in found.items()}
