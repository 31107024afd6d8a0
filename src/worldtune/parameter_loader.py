"""Kedro's configuration loader with checked, complete, typed parameters.

Nodes get each section (``params:web.rlvr``) as an object of its own class with the defaults filled
in, also where the class depends on the domain and the node's annotation cannot name it.
"""

from typing import Any

from kedro.config import OmegaConfigLoader

from worldtune.config import Config
from worldtune.domains import DOMAINS
from worldtune.parameters import parse_parameters


class ParameterLoader(OmegaConfigLoader):
    """An ``OmegaConfigLoader`` whose ``["parameters"]`` are objects of ``worldtune.config``."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """A part of the configuration. Raises ParameterError for wrong parameters."""
        value: dict[str, Any] = super().__getitem__(key)
        if key != "parameters":
            return value
        sections = dict(parse_parameters(value))
        # A domain stays a dictionary of its sections: Kedro finds "web.rlvr" by its keys.
        return sections | {domain: _sections(sections[domain]) for domain in DOMAINS}


def _sections(config: Config) -> dict[str, Any]:
    return dict(config)
