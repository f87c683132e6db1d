"""A content-addressable memory after hippocampal region CA3, with plastic synapses."""

from neuromorph.systems.memory.memory import ContentMemory, Operation, Recall
from neuromorph.systems.memory.wiring import memory_network

__all__ = ["ContentMemory", "Operation", "Recall", "memory_network"]
