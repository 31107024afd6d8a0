"""Completions drawn from the policy."""
