"""Event-driven execution of spiking networks: compiled kernels over compressed synaptic rows."""
