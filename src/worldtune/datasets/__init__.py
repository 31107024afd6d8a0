"""Kedro datasets of our own: what the catalog hands over is a path, never a live model."""
