"""Columns of the tables that the compiled loop reads: one row per population, one per projection."""

from __future__ import annotations

# populations, int64
(
    MODEL,
    SIZE,
    FIRST,  # number of its first neuron
    START,
    SHIFT,  # steps that its spikes leave late
    REFRACTORY,
    AT_LEAST,  # 1: fires where v >= threshold
    MEMBRANE_FIRST,
    RESET,
    DELAYED,
    LIMIT,  # spikes per step, 0 without limit
    CLAMPED,
    CURRENT,  # 1: has a synaptic current of its own
    BIASED,
    SIGNED,
    ACC,  # offset of its ring of inputs
    DEPTH,  # slots of the ring
    OUT,  # offset of its output, -1: none
    VALUED,  # 1: sends its value at every step instead of spikes
    LINE,  # offset of its line of late spikes, -1: none
    EXT_INDPTR,
    EXT_INDEX,
    EXT_VALUE,
    EXT_ROWS,
    EXT_FIRST,  # number of the sample that the rasters begin with
    DRIVE,  # address of inputs computed beforehand, (samples, steps, size) float64
    RECORDED,
    FORMAT,
    KEEPS_INPUT,  # 0: a delayed reset to a value loses the input of its step
    POPULATION_COLUMNS,
) = range(30)

# models
INPUT, LINEAR, ADAPTIVE, IZHIKEVICH, THRESHOLD_UNIT, READOUT = range(6)

# number formats
FLOATING, SPINNAKER, LOIHI, WHOLE = range(4)

# resets
TO_VALUE, SUBTRACT, SUBTRACT_GUARDED, NO_RESET = range(4)

# parameters of neurons, float
A_SYN, B_SYN, A_MEM, B_MEM, C_MEM, THRESHOLD, V_RESET, SIGN, V_INIT, A_ADAPT, B_ADAPT, BIAS, PARAMETERS = range(13)
IZ_A, IZ_B, IZ_C, IZ_D, IZ_PEAK, IZ_V, IZ_U = range(7)

# numbers of a population, float
V_MIN, SKIP, GRID, DT_MS, STATE_MIN, STATE_MAX, RING_UNIT, OUT_UNIT, SCALARS = range(9)

# state of neurons, float
V, I, H, WAIT, PENDING, LAST, STATES = range(7)  # noqa: E741

# projections, int64
(
    TARGET,
    KIND,
    INDPTR,
    INDEX,
    WEIGHT,
    DELAY,
    DELAYS,  # how many there are
    SYNAPSES,
    PLASTIC,  # number among plastic projections, -1: none
    HIGH,  # saturation of the rings of inputs
    SOURCE,
    SOURCE_SIZE,
    LEARN_SYNAPSES,  # where its part of the learning's arrays begins
    LEARN_SOURCES,
    LEARN_TARGETS,
    PROJECTION_COLUMNS,
) = range(16)

# kinds of rows
UNIFORM, NARROW, RUNS, DELAYS8, DELAYS16, SATURATING, PLASTIC_ROWS = range(7)  # NARROW: targets in 16 bits
