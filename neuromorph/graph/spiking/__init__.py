"""A spiking network as populations joined by compressed synaptic rows: what event-driven hardware runs."""

from neuromorph.graph.spiking.network import Plasticity, Population, Projection, SpikingNetwork

__all__ = ["Plasticity", "Population", "Projection", "SpikingNetwork"]
