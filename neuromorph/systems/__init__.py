"""Whole systems from the literature, built on networks, hardware and the pipeline."""
