"""What users of Python call: the verbs, taking what torch users hold and refusing anything else with one message.

Every public verb passes here, and what it declares decides: a `Graph` may also be a module of torch or a model file, an
`Architecture` a name or a file, `Inputs` tensors, a data set, a loader or a file. The verbs themselves, and everything
inside the package, see the declared types only.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from neuromorph.errors import InputError, Place, suggest

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.events import Raster
    from neuromorph.graph.model import Graph

T = TypeVar("T")

_NO = object()
"""What a converter returns for a value of another kind."""


def public(verb: Callable[..., T], name: str = "") -> Callable[..., T]:
    """The verb as users call it: arguments checked and converted by the types that it declares.

    Where it takes a network, `example` may be given besides: the shape of one sample, or a tensor with a batch axis,
    that a module of torch is traced with; left out, the inputs tell it.
    """
    signature = inspect.signature(verb)
    called = name or verb.__name__

    @functools.wraps(verb)
    def call(*args: Any, **kwargs: Any) -> T:
        example = kwargs.pop("example", None) if _takes_network(signature) else None
        return verb(**_converted(_bound(called, signature, args, kwargs), signature, example, called))

    return call


def read_samples(
    graph: Graph, path: str | Path | None, limit: int | None = None, steps: int | None = None
) -> tuple[Graph, np.ndarray | Raster | None, np.ndarray | None]:
    """The graph for the steps that the data of a file have, inputs and labels. Without a path the graph as it is."""
    from neuromorph.events.inputs import read_inputs
    from neuromorph.graph.data import check_data, read_data
    from neuromorph.graph.decode import over_time

    if path is None:
        return graph, None, None
    if not over_time(graph):
        x, y = read_data(path, limit=limit)
        check_data(graph, x, y)
        return graph, x, y
    inputs, labels = read_inputs(path, graph, steps=steps, limit=limit)
    return with_steps_of(graph, inputs), inputs, labels


def with_steps_of(graph: Graph, inputs: Any) -> Graph:
    """A graph over time for as many steps as these inputs have."""
    from neuromorph.spiking.steps import with_steps

    found = inputs.steps if hasattr(inputs, "steps") else int(inputs.shape[1])
    return graph if next(iter(graph.input_shapes.values()))[0] == found else with_steps(graph, found)


def list_architectures() -> tuple[str, ...]:
    """Names of the shipped architectures."""
    from neuromorph.hardware.catalog import architecture_names

    return tuple(architecture_names())


def list_parts(kind: str = "") -> tuple[str, ...]:
    """Names of the shipped datasheets, of one component kind where it is named ("adc"). InputError for another kind."""
    from neuromorph.hardware.catalog import datasheet_names, load_datasheet

    found = {name: load_datasheet(name).kind for name in datasheet_names()}
    kinds = sorted(set(found.values()))
    if kind and kind not in kinds:
        raise InputError(f"no datasheet is of kind {kind!r}", Place(key="kind"), suggest(kind, kinds, "kinds"))
    return tuple(name for name, own in found.items() if kind in ("", own))


# How arguments are bound, and in which order they are made


def _bound(name: str, signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    try:
        return dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        legal = [str(p) if p.kind is p.VAR_KEYWORD else n for n, p in signature.parameters.items()]
        legal = [re.sub(":.*", "", n) for n in legal]
        wrong = next((k for k in kwargs if k not in signature.parameters), "")
        meant = f"{suggest(wrong, legal, '')} ".lstrip() if wrong else ""
        raise InputError(f"{name}: {error}", hint=f"{meant}it takes {', '.join(legal)}") from None


def _takes_network(signature: inspect.Signature) -> bool:
    return any("Graph" in _heads(p.annotation) for p in signature.parameters.values())


def _converted(given: dict[str, Any], signature: inspect.Signature, example: Any, verb: str) -> dict[str, Any]:
    """Plain arguments first, then data, then the networks that may need the shape of these, then data by network."""
    kinds = {n: _heads(p.annotation) for n, p in signature.parameters.items()}
    variadic = next((n for n, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD), "")
    options = given.pop(variadic, {})
    for name, value in given.items():
        if "Graph" not in kinds[name] and "Inputs" not in kinds[name]:
            given[name] = _made(name, value, kinds[name])
    _spread_data(given, kinds)
    network = None
    for name in [n for n in given if "Graph" in kinds[n]]:
        given[name] = _network(name, given[name], kinds[name], example, given.get("inputs"))
        network = network or (name if name in ("graph", "model") and hasattr(given[name], "nodes") else None)
    placement = given.get("placement")
    graph = given[network] if network else getattr(placement, "graph", None)
    hosts = given.get("architecture") if "graph" in given else getattr(placement, "architecture", None)
    if "inputs" in given and graph is not None:
        made, given["inputs"], labels = _data(graph, given["inputs"])
        if network and placement is None:
            given[network] = made
        if labels is not None and "labels" in kinds and given.get("labels") is None:
            given["labels"] = labels
    return given | _checked_options(options, hosts, graph, verb)


def _spread_data(given: dict[str, Any], kinds: Mapping[str, Sequence[str]]) -> None:
    """Data sets and loaders as arrays: inputs, and labels where none are given."""
    if "inputs" in given and (pair := _gathered(given["inputs"])) is not None:
        given["inputs"], labels = pair
        if "labels" in kinds and given.get("labels") is None:
            given["labels"] = labels
    for name in [n for n in given if n in ("data", "calibration", "calibration_data")]:
        if (pair := _gathered(given[name])) is not None:
            given[name] = pair if name == "data" and "vary" in kinds else pair[0]
        elif hasattr(given[name], "detach"):
            from neuromorph.graph.data import as_array

            given[name] = as_array(given[name], name)


def _checked_options(options: Mapping[str, Any], architecture: Any, graph: Any, verb: str) -> dict[str, Any]:
    """Options of the hardware's kind by the types that these declare; what is no option is the verb's to refuse."""
    declared = dict(_SETTINGS)
    if architecture is not None:
        from neuromorph.devices.options import legal_names
        from neuromorph.devices.protocol import kind_of

        kind = kind_of(architecture)
        legal = legal_names(kind, verb)
        declared |= {f.name: str(f.type) for f in dataclasses.fields(kind.options) if f.name in legal}
    found = {n: _made(n, v, _heads(declared.get(n, "Any"))) for n, v in options.items()}
    if "calibration_inputs" in declared and found.get("calibration_inputs") is not None and graph is not None:
        pair = _gathered(found["calibration_inputs"])
        found["calibration_inputs"] = _data(graph, found["calibration_inputs"] if pair is None else pair[0])[1]
    return found


_SETTINGS = {
    "epochs": "int", "redraw": "int", "learning_rate": "float", "progress": "Progress | None",
    "torch_device": "str",
}  # fmt: skip
"""Options that no dataclass declares."""


# What a network and its data may be


def _network(name: str, value: Any, kinds: Sequence[str], example: Any, inputs: Any) -> Any:
    from neuromorph.graph.model import Graph

    if _path(value) is not _NO:
        from neuromorph.importers import read_graph

        return value if "str" in kinds else read_graph(value)
    if isinstance(value, Graph) or (value is None and "None" in kinds):
        return value
    if _is_module(value):
        from neuromorph.importers.torch_import import from_torch

        example = _example_of(inputs) if example is None else example
        if example is None:
            raise InputError(
                f"{name} is a module of torch and nothing tells the shape of its samples", Place(key="example"),
                "give example=(1, 28, 28), or inputs",
            )  # fmt: skip
        return from_torch(value, example)
    raise _refused(name, value, kinds)


def _example_of(inputs: Any) -> Any:
    """Samples that a module can be traced with, None where there are none."""
    if isinstance(inputs, str | os.PathLike):
        from neuromorph.graph.data import read_data

        inputs = read_data(os.fspath(inputs), limit=2)[0]
    shape = getattr(inputs, "shape", ())
    if inputs is None or len(shape) < 2 or hasattr(inputs, "indptr"):
        return None
    import torch

    from neuromorph.graph.data import as_array

    found = torch.as_tensor(as_array(inputs)[:2])
    return found.float() if found.dtype in (torch.uint8, torch.bool, torch.float64) else found


def _data(graph: Graph, inputs: Any) -> tuple[Graph, Any, Any]:
    """Inputs from what they are given as, and for networks over time the network with their number of steps."""
    from neuromorph.events.raster import Raster
    from neuromorph.graph.decode import over_time

    if isinstance(inputs, str | os.PathLike):
        return read_samples(graph, _made("inputs", inputs, ("Path",)))
    if inputs is None or not over_time(graph) or len(graph.input_shapes) != 1 or isinstance(inputs, Mapping):
        return graph, inputs, None
    if not isinstance(inputs, Raster):
        from neuromorph.events.encoders import direct
        from neuromorph.graph.data import as_array

        inputs, shape = as_array(inputs), next(iter(graph.input_shapes.values()))
        if inputs.ndim and inputs.shape[1:] == tuple(shape[1:]) and len(shape) > 1:
            return graph, direct(inputs, int(shape[0])), None
        if inputs.ndim < 3 or 0 in inputs.shape:
            return graph, inputs, None
    return with_steps_of(graph, inputs), inputs, None


def _gathered(value: Any) -> tuple[Any, Any] | None:
    """Inputs and labels (None where it has none) of a data set or a loader of torch; None for anything else."""
    if "torch" not in sys.modules:
        return None
    data = sys.modules["torch"].utils.data
    if not isinstance(value, data.Dataset | data.DataLoader):
        return None
    if isinstance(value, data.IterableDataset):
        value = data.DataLoader(value, batch_size=64)
    parts = list(value) if isinstance(value, data.DataLoader) else [value[i] for i in range(len(value))]
    if not parts:
        raise InputError("the data hold no sample", Place(key="inputs"), "give at least one sample")
    join = _joined if isinstance(value, data.DataLoader) else _stacked
    if not isinstance(parts[0], list | tuple):
        return join(parts), None
    return join([p[0] for p in parts]), join([p[1] for p in parts]) if len(parts[0]) > 1 else None


def _stacked(parts: Sequence[Any]) -> np.ndarray:
    return _together(parts, "stack")


def _joined(parts: Sequence[Any]) -> np.ndarray:
    return _together(parts, "concatenate")


def _together(parts: Sequence[Any], how: str) -> np.ndarray:
    import numpy as np

    from neuromorph.graph.data import as_array

    arrays = [as_array(p) for p in parts]
    if len({a.shape[how == "concatenate" :] for a in arrays}) > 1:
        raise InputError("samples of the data set have differing shapes", Place(key="inputs"), "samples of one shape")
    return np.asarray(getattr(np, how)(arrays))


def _is_module(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


# Types by the words that verbs declare them with


def _heads(annotation: Any) -> tuple[str, ...]:
    """The alternatives of an annotation: "int | None" -> ("int", "None"), "Sequence[Any]" -> ("Sequence",)."""
    text = re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\][^\[\]]*)*\]", "", str(annotation))
    return tuple(part.strip() for part in text.split("|"))


def _made(name: str, value: Any, kinds: Sequence[str]) -> Any:
    """The value as one of these kinds. InputError where it is none of them."""
    for kind in kinds:
        if kind not in _KINDS:
            return value
        if kind == "str" and "Path" in kinds:  # a path, which has more to fulfil than a text
            continue
        if (made := _KINDS[kind][1](value)) is not _NO:
            return Path(made) if kind == "Path" and "str" not in kinds else made
    raise _refused(name, value, kinds)


def _refused(name: str, value: Any, kinds: Sequence[str]) -> InputError:
    words = [_KINDS[k][0] if k in _KINDS else k for k in kinds if k != "None"]
    given = repr(value) if isinstance(value, int | float | str | bytes | type(None)) else f"a {type(value).__name__}"
    hint = "expected " + " or ".join(dict.fromkeys(w for w in words if w))
    if _is_module(value):
        hint += "; networks stand in the first argument"
    return InputError(f"{name} is {given:.80}", Place(key=name), hint)


def _is(*types: Any, but: tuple[type, ...] = ()) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, types) and not isinstance(value, but) else _NO


def _number(value: Any) -> Any:
    value = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else _NO


def _whole(value: Any) -> Any:
    value = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
    return value if isinstance(value, int) and not isinstance(value, bool) else _NO


def _path(value: Any) -> Any:
    if not isinstance(value, str | os.PathLike):
        return _NO
    text = os.fsdecode(os.fspath(value))
    return value if text and "\0" not in text else _NO


def _callback(value: Any) -> Any:
    """A function of (fraction, text)."""
    if not callable(value) or _is_module(value) or isinstance(value, type):
        return _NO
    try:
        inspect.signature(value).bind(0.0, "")
    except TypeError:
        return _NO
    except ValueError:  # of a function that tells nothing about its arguments
        pass
    return value


def _of(home: str) -> Callable[[Any], Any]:
    """Instances of a class, imported when one is asked for."""
    module, _, name = home.partition(":")

    def check(value: Any) -> Any:
        from importlib import import_module

        return value if isinstance(value, getattr(import_module(module), name)) else _NO

    return check


def _architecture(value: Any) -> Any:
    from neuromorph.hardware.catalog import load_architecture

    return (
        load_architecture(value)
        if _path(value) is not _NO
        else _of("neuromorph.hardware.component:Architecture")(value)
    )


def _placement(value: Any) -> Any:
    known = hasattr(type(value), "signature") and _architecture(getattr(value, "architecture", None)) is not _NO
    return value if known else _NO


def _assumption(value: Any) -> Any:
    from neuromorph.devices.protocol import Assumption

    density = _number(value)
    made = Assumption(density) if density is not _NO else value
    return made if isinstance(made, Assumption) and 0.0 <= made.density <= 1.0 else _NO


def _array(value: Any) -> Any:
    from neuromorph.graph.data import as_array

    return _NO if value is None or isinstance(value, str | Mapping) else as_array(value)


_KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "None": ("", lambda value: None if value is None else _NO),
    "bool": ("True or False", _is(bool)),
    "int": ("a whole number", _whole),
    "float": ("a finite number", _number),
    "str": ("a text", _is(str)),
    "Path": ("a path", _path),
    "Graph": ("a network: a graph, a module of torch or a model file", _of("neuromorph.graph.model:Graph")),
    "Architecture": ("an architecture, its name or its file", _architecture),
    "Placement": ("a placement, as `place` returns it", _placement),
    "Execution": ("what `execute` returns", _of("neuromorph.devices.result:Execution")),
    "Report": ("a report, as `run` returns it", _of("neuromorph.report.model:Report")),
    "Assumption": ("a density from 0 to 1", _assumption),
    "Mapping": ("a mapping", _is(Mapping)),
    "Sequence": ("a list", _is(Sequence, but=(str, bytes))),
    "Iterable": ("a list", _is(Iterable, but=(str, bytes))),
    "tuple": ("a tuple", lambda value: tuple(value) if isinstance(value, list | tuple) else _NO),
    "Progress": ("a function of (fraction done, what is being done)", _callback),
    "Callable": ("a function", lambda v: v if callable(v) and not _is_module(v) and not isinstance(v, type) else _NO),
    "Executor": ("an executor", _of("concurrent.futures:Executor")),
    "np.ndarray": ("an array", _array),
    "nn.Module": ("a module of torch", lambda value: value if _is_module(value) else _NO),
}
"""What a declared type is called, and what makes a value of it."""
