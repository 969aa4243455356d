"""Blightcheck's model: training it, measuring it, writing and fetching it, and asking it about a photo."""
