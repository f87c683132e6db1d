"""Large random networks, to show that size is no obstacle."""

from neuromorph.systems.scale.balanced import Dynamics, balanced_network, dynamics

__all__ = ["Dynamics", "balanced_network", "dynamics"]
