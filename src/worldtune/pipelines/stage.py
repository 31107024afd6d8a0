"""What all stages share when their nodes become a pipeline of one domain."""

from collections.abc import Callable, Iterable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

SHARED_PARAMETERS = frozenset({"params:seed", "params:compute", "params:launch"})
"""Parameters outside the domain's namespace: every domain reads the same ones."""


def for_domain(function: Callable[..., Any], domain: str) -> Callable[..., Any]:
    """Fix the keyword ``domain`` of a node function, keeping its name and annotations.

    Kedro reads the annotations to turn parameters into pydantic objects, so the functions declare
    ``domain`` last and the pipeline lists a node's inputs in the order of the signature.
    """
    return update_wrapper(partial(function, domain=domain), function)


def build_stage(nodes: Iterable[Node], *, stage: str, domain: str) -> Pipeline:
    """Put nodes into a domain's namespace and tag each with its stage and its domain."""
    plain = Pipeline(nodes)
    return Pipeline(
        plain,
        namespace=domain,
        parameters=set(SHARED_PARAMETERS & plain.inputs()),
        tags=[stage, domain],
    )
