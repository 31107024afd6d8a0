"""The two learning algorithms and what they are made of."""
