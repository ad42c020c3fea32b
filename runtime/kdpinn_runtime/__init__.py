"""Evaluate and verify compressed physics-informed networks: numpy in, numpy out."""
