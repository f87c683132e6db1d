"""Many-core chips that run spiking networks: processor cores and fixed-function cores, routers, external memory."""
