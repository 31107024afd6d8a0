"""A domain's data and rewards for people who train with TRL or verl."""
