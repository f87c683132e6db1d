"""A spiking network as populations joined by compressed synaptic rows: what event-driven hardware runs."""

from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

__all__ = ["Plasticity", "Population", "Projection", "SpikingNetwork"]
