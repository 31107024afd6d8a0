"""The table of domains. Modules are named, not imported, so that listing them costs nothing."""

from importlib import import_module
from types import ModuleType

from worldtune.config import Config
from worldtune.contracts import Domain

DOMAINS = ("web", "text_game")
"""Every domain is a package of this name beside this file, with the same modules inside."""


def get_module(name: str, part: str) -> ModuleType:
    """The module ``part`` (data, domain, view) of a domain. Raises KeyError for an unknown one."""
    if name not in DOMAINS:
        raise KeyError(f"unknown domain {name!r}; known: {', '.join(DOMAINS)}")
    return import_module(f"worldtune.domains.{name}.{part}")


def get_data_module(name: str) -> ModuleType:
    """The ingestion of a domain: a module with ``ingest(config, seed)``."""
    return get_module(name, "data")


def get_domain(name: str, task: Config) -> Domain:
    """The task object of a domain, built from its ``task`` parameters."""
    domain: Domain = get_module(name, "domain").build(task)
    return domain
