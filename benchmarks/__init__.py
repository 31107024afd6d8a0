"""Measurements against peers and against the arithmetic; run by hand, never by the test suite."""
