"""Blightcheck's model: training, measuring, writing and fetching it, and asking it about a photo."""
