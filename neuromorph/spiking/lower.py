"""From a graph over time to its flat form: neurons become populations, everything between them synaptic rows.

A value inside the graph is, at every step, a sum of what populations sent earlier, through rows of weights. Linear
operators multiply these rows; a neuron ends them. A constant (bias) is added to the population it reaches; where it
arrives only from some step on (behind a delay, or along a feedback path with `bias_at_start` off) a population of one
neuron that fires at every step carries it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.cycles import acting_at_start, cycles
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator, Shape
from neuromorph.graph.operators.neurons import Neuron, Threshold
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.operators.synapses import MAX_DELAY, Delay, DelayedLinear, SparseLinear
from neuromorph.spiking.compose import IDENTITY, Rows, bias_of, chosen, diagonal, rows_of, size_of
from neuromorph.spiking.min_delay import with_min_delay
from neuromorph.spiking.network import MODELS, Population, Projection, SpikingNetwork

__all__ = ["CONSTANT", "lower", "population_of", "with_min_delay"]

CONSTANT = "constant"
"""Name of the population that fires at every step, where one is needed."""

_FEEDBACK = "feedback of "


@dataclass(frozen=True, eq=False)
class _Term:
    """What one source contributes to a value: rows by source neuron, `delay` steps late.

    source: a population, CONSTANT, or a feedback that is not known yet. per_synapse: a delay of each entry of rows, on
    top. Terms with delays per synapse, or plastic, end at a neuron unchanged.
    """

    source: str
    rows: Rows
    delay: int = 0
    per_synapse: np.ndarray | None = None
    plasticity: Plasticity | None = None


_Value = list[_Term]


def lower(graph: Graph) -> SpikingNetwork:
    """The flat form of a graph whose samples are (steps, *features).

    Inputs become populations that fire as they are told (with values, where the data are no spikes), outputs that are
    no neurons populations of the model "readout". Raises InputError with every operator between neurons that is not
    linear within a step, and for cycles without a neuron.
    """
    return _Lowering(graph).network()


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = graph.shapes
        self.values: dict[str, _Value] = {n: [_Term(n, IDENTITY)] for n in graph.input_shapes}
        self.arriving: dict[str, _Value] = {}
        self.neurons: dict[str, Population] = {}
        self.dt_s: set[float] = set()
        self.at_start = {name for group in cycles(graph) for name in acting_at_start(group)}

    def network(self) -> SpikingNetwork:
        problems: list[Problem] = []
        for node in self.graph.nodes:
            try:
                self._visit(node)
            except InputError as error:
                problems += [Problem(p.message, Place(key=node.label), p.hint) for p in error.problems]
                self.values[node.name] = []
        if not self.neurons and not problems:
            problems.append(
                Problem(f"{self.graph.name} has no neurons", hint="spiking networks have operators with state")
            )
        if self.neurons and not self.dt_s and not problems:
            hint = "a neuron with semantics, or a delay"
            problems.append(Problem(f"{self.graph.name} says nowhere how long a step is", hint=hint))
        if len(self.dt_s) > 1:
            steps = ", ".join(f"{dt:g} s" for dt in sorted(self.dt_s))
            problems.append(
                Problem(f"neurons and delays have different time steps: {steps}", hint="one dt for the whole network")
            )
        if problems:
            raise InputError(problems)
        return self._joined()

    def _visit(self, node: Node) -> None:
        given = [self.values[name] for name in node.inputs]
        shapes = [self.shapes[name] for name in node.inputs]
        if node.feedback:
            given[0] = [*given[0], *(_Term(_FEEDBACK + f, IDENTITY) for f in node.feedback)]
        operator, features = node.operator, self.shapes[node.name][1:]
        if isinstance(operator, Delay):
            self.dt_s.add(operator.dt_s)
        if isinstance(operator, Neuron | Threshold):
            self.neurons[node.name] = population_of(node.name, operator, features)
            if isinstance(operator, Neuron):
                self.dt_s.add(operator.semantics.dt_s)
            self.arriving[node.name] = given[0]
            self.values[node.name] = [_Term(node.name, IDENTITY)]
            return
        if self.shapes[node.name][:1] != shapes[0][:1]:
            raise _not_linear(operator)
        self.values[node.name] = _through(operator, given, [s[1:] for s in shapes], features)

    def _joined(self) -> SpikingNetwork:
        """Populations in order, projections between them."""
        readouts = {}
        for name in dict.fromkeys(self.graph.outputs):
            value = self.values[name]
            if name not in self.neurons and not (len(value) == 1 and _is_population(value[0], self.neurons)):
                readouts[name] = Population(name, self.shapes[name][1:], "readout")
                self.arriving[name] = value
        arriving = {name: self._resolved(value, ()) for name, value in self.arriving.items()}
        needs_constant = any(t.source == CONSTANT and t.delay for v in arriving.values() for t in v)
        made = {n: Population(n, s[1:], "input") for n, s in self.graph.input_shapes.items()}
        (dt_s,) = self.dt_s
        constant = CONSTANT
        while constant in made or constant in self.values:
            constant += "_"
        if needs_constant:
            made[constant] = _always(constant)
        made |= self.neurons | readouts
        number = {name: i for i, name in enumerate(made)}
        number[CONSTANT] = number.get(constant, -1)
        projections: list[Projection] = []
        for name, value in arriving.items():
            bias, terms = _split_bias(value)
            made[name] = dataclasses.replace(made[name], bias=bias)
            projections += _projections(terms, name, made, number)
        outputs = tuple(number[n if n in number else self.values[n][0].source] for n in self.graph.outputs)
        inputs = tuple(number[n] for n in self.graph.input_shapes)
        return SpikingNetwork(
            self.graph.name, tuple(made.values()), tuple(projections), inputs, outputs, dt_s
        )  # fmt: skip

    def _resolved(self, value: _Value, path: tuple[str, ...]) -> _Value:
        """The value with feedbacks replaced by what they carry, a step late."""
        found: _Value = []
        for term in value:
            if not term.source.startswith(_FEEDBACK):
                found.append(term)
                continue
            name = term.source.removeprefix(_FEEDBACK)
            if name in path:
                raise InputError(f"the cycle through {name} has no neuron", hint="a cycle needs a neuron to end it")
            for late in self._resolved(self.values[name], (*path, name)):
                before = late.source == CONSTANT and not late.delay and name in self.at_start
                found += _chained(late, term.rows, term.delay + (0 if before else 1))
        return found


def _is_population(term: _Term, neurons: dict[str, Population]) -> bool:
    return term.source in neurons and term.rows is IDENTITY and not term.delay and term.per_synapse is None


def population_of(name: str, operator: Neuron | Threshold, features: Shape) -> Population:
    """A neuron operator as a population of this feature shape."""
    if isinstance(operator, Threshold):
        sign = np.ones(operator.features) if operator.sign is None else operator.sign
        given = {"threshold": operator.threshold, "sign": sign}
        return Population(name, features, "threshold", {k: _flat(v, features) for k, v in given.items()})
    given = dict(operator.coefficients)
    if operator.fires and "threshold" in given:  # an infinite threshold would make the membrane the output
        never = np.isposinf(given["threshold"])
        given["threshold"] = np.where(never, 0.0, given["threshold"])
        given["sign"] = np.where(never, 0.0, given["sign"])
    semantics = operator.semantics
    if "tau_syn" not in operator.arrays_of:  # without a current there is no order
        semantics = dataclasses.replace(semantics, order="current_first")
    parameters = {k: _flat(given[k], features) for k in MODELS[operator.model]}
    return Population(name, features, operator.model, parameters, semantics)


def _flat(values: np.ndarray, features: Shape) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(values, features), np.float64).reshape(-1)


def _always(name: str) -> Population:
    """One neuron that fires at every step."""
    from neuromorph.graph.semantics import Semantics

    values = {"a_syn": 0, "b_syn": 1, "a_mem": 0, "b_mem": 1, "c_mem": 1, "threshold": 0.5, "v_reset": 0, "sign": 1}
    parameters = {k: np.full(1, float(v)) for k, v in {**values, "v_init": 0}.items()}
    return Population(name, (1,), "linear", parameters, Semantics(1.0))


def _not_linear(operator: Operator) -> InputError:
    return InputError(
        f"{type(operator).__name__} is not linear within a step and stands between neurons",
        hint="convolutions, linear layers, sums and averages, scales, wiring and delays become synapses; how outputs "
        'over time become one answer is said by the metadata "decode"',
    )


def _through(operator: Operator, given: list[_Value], inputs: list[Shape], output: Shape) -> _Value:
    """What an operator makes of its inputs' values."""
    _check_format(operator)
    if isinstance(operator, Delay):
        return _delayed(operator, given[0], inputs[0])
    if isinstance(operator, SparseLinear | DelayedLinear):
        return _synaptic(operator, given[0], inputs[0], output)
    rows = rows_of(operator, inputs, output)
    if rows is None:
        raise _not_linear(operator)
    found = [late for value, r in zip(given, rows, strict=True) for t in value for late in _chained(t, r, 0)]
    return [*found, *_constant(bias_of(operator, output))]


def _constant(bias: np.ndarray | None) -> _Value:
    return [] if bias is None else [_Term(CONSTANT, sp.csr_array(bias[None, :]))]


def _check_format(operator: Operator) -> None:
    """Spikes must be on the grid of the input."""
    given: NumberFormat | None = getattr(operator, "input_format", None)
    if given is None:
        return
    silent, spike = given.quantize(np.array([0.0, 1.0])).tolist()
    if abs(silent) > 1e-9 or abs(spike - 1) > 1e-9:
        raise InputError(
            f"{type(operator).__name__} rounds its input to {given.title}: 0 becomes {silent:g}, 1 (a spike) {spike:g}",
            hint="leave inputs of spiking layers unquantized, or choose a scale that divides 1",
        )


def _delayed(operator: Delay, value: _Value, features: Shape) -> _Value:
    steps = np.broadcast_to(operator.steps, features).ravel()
    found: _Value = []
    for d in np.unique(steps).tolist():
        part = IDENTITY if (steps == d).all() else diagonal((steps == d).astype(float))
        found += [late for t in value for late in _chained(t, part, int(d))]
    return found


def _synaptic(operator: SparseLinear | DelayedLinear, value: _Value, features: Shape, output: Shape) -> _Value:
    """Rows with a delay per synapse. Straight behind a population they are its synapses as they are."""
    if isinstance(operator, DelayedLinear):
        source, target = np.nonzero(operator.weight.T)
        weight, delay = operator.weight[target, source], operator.delay[target, source]
        indptr = np.searchsorted(source, np.arange(operator.weight.shape[1] + 1))
        index = target.astype(np.int32)
    else:
        indptr, index, weight, delay = operator.indptr, operator.index, operator.weight, operator.delay
    shape = (size_of(features), size_of(output))
    plasticity = operator.plasticity if isinstance(operator, SparseLinear) else None
    alike = delay.shape == (1,)
    begins = indptr.astype(np.int32) if index.size < 2**31 else indptr  # one type for both, or scipy copies the indices
    rows = sp.csr_array((weight, index, begins), shape=shape)
    whole = _Term("", rows, 0, None if alike else delay, plasticity)
    common = int(delay[0]) if alike else 0
    found: _Value = []
    for term in value:
        if term.rows is IDENTITY:
            found.append(dataclasses.replace(whole, source=term.source, delay=term.delay + common))
        elif plasticity is not None:
            raise InputError("plastic synapses do not start at a neuron", hint="put them straight behind a neuron")
        else:
            found += [late for d, part in _parts(whole) for late in _chained(term, part, d + common)]
    return [*found, *_constant(bias_of(operator, output))]


def _chained(term: _Term, rows: Rows, wait: int) -> _Value:
    """The term followed by rows, `wait` steps later."""
    if rows is IDENTITY:
        return [dataclasses.replace(term, delay=term.delay + wait)]
    if term.plasticity is not None:
        raise InputError("plastic synapses do not end at a neuron", hint="put a neuron straight behind them")
    if term.rows is IDENTITY:
        return [_Term(term.source, rows, term.delay + wait)]
    return [_Term(term.source, sp.csr_array(part @ rows), d + wait) for d, part in _parts(term)]


def _parts(term: _Term) -> list[tuple[int, Rows]]:
    """(delay, rows) for each delay of a term."""
    if term.per_synapse is None:
        return [(term.delay, term.rows)]
    found = []
    for d in np.unique(term.per_synapse).tolist():
        here = term.per_synapse == d
        total = np.concatenate(([0], np.cumsum(here)))
        kept = (term.rows.data[here], term.rows.indices[here], total[term.rows.indptr])
        found.append((term.delay + int(d), sp.csr_array(kept, shape=term.rows.shape)))
    return found


def _split_bias(value: _Value) -> tuple[np.ndarray | None, _Value]:
    """What acts at every step, as one vector, and the terms that are projections."""
    always = [t for t in value if t.source == CONSTANT and not t.delay]
    others = [t for t in value if not (t.source == CONSTANT and not t.delay)]
    if not always:
        return None, others
    return np.asarray(sum(t.rows.toarray()[0] for t in always), np.float64), others


def _projections(
    terms: _Value, target: str, populations: Mapping[str, Population], number: Mapping[str, int]
) -> list[Projection]:
    """Terms of one source without delays of their own join in one projection; all others keep their own."""
    by_source: dict[str, _Value] = {}
    found: list[Projection] = []
    size = populations[target].size

    def add(source: str, rows: Rows, delay: np.ndarray, plasticity: Plasticity | None = None) -> None:
        name = f"{source} to {target}"
        twins = sum(p.name == name or p.name.startswith(f"{name} (") for p in found)
        indptr, weight = rows.indptr.astype(np.int64), rows.data.astype(np.float32, copy=False)
        index = rows.indices.astype(np.int32, copy=False)
        name = f"{name} ({twins + 1})" if twins else name
        found.append(Projection(name, number[source], number[target], indptr, index, weight, delay, plasticity))

    for term in terms:
        if term.per_synapse is None and term.plasticity is None:
            by_source.setdefault(term.source, []).append(term)
        else:
            delay = np.full(1, term.delay) if term.per_synapse is None else term.per_synapse.astype(int) + term.delay
            add(term.source, term.rows, _smallest(delay), term.plasticity)
    for source, same in by_source.items():
        eye = chosen(np.arange(size), size)
        by_delay: dict[int, Rows] = {}
        for term in same:
            rows = eye if term.rows is IDENTITY else term.rows
            by_delay[term.delay] = rows if term.delay not in by_delay else sp.csr_array(by_delay[term.delay] + rows)
        add(source, *_merged(by_delay))
    return [p for p in found if p.synapses]


def _merged(by_delay: Mapping[int, Rows]) -> tuple[Rows, np.ndarray]:
    """Rows of several delays as one set of rows, by source and target, and the delay of each synapse."""
    for rows in by_delay.values():
        rows.sort_indices()
    if len(by_delay) == 1:
        ((delay, rows),) = by_delay.items()
        return rows, _smallest(np.full(1, delay))
    parts = list(by_delay.items())
    source = np.concatenate([np.repeat(np.arange(r.shape[0]), np.diff(r.indptr)) for _, r in parts])
    target = np.concatenate([r.indices for _, r in parts])
    weight = np.concatenate([r.data for _, r in parts])
    late = np.concatenate([np.full(r.nnz, d) for d, r in parts])
    order = np.lexsort((late, target, source))
    shape = parts[0][1].shape
    indptr = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=shape[0]))))
    return sp.csr_array((weight[order], target[order], indptr), shape=shape), _smallest(late[order])


def _smallest(delay: np.ndarray) -> np.ndarray:
    top = int(delay.max(initial=0))
    if top > MAX_DELAY:
        raise InputError(f"delays along a path add up to {top} steps", hint=f"at most {MAX_DELAY}")
    return delay.astype(np.uint8 if top < 256 else np.uint16)
