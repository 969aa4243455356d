"""Serving over HTTP: threads, connections, limits, what errors say, and how the page comes up."""
