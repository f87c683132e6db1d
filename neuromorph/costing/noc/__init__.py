"""Timing of networks on chip: packets of spikes over routers and links, as discrete events and as a recursion."""
