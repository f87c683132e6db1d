"""Files of the Neuromorphic Intermediate Representation (NIR, Pedersen et al., Nature Communications 15, 2024).

`hdf5` reads the container, `structure` resolves names, nesting and cycles, `fields` checks and converts the parameters
of a node, `build` infers shapes and makes the graph, `sidecar` keeps what NIR cannot say, `writer` goes the other way.
"""
