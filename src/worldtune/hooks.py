"""Around every Kedro run: check parameters first, record what ran, show errors plainly."""

import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.validation.exceptions import DataValidationError

from worldtune import __version__
from worldtune.domains import DOMAINS
from worldtune.errors import ParameterError
from worldtune.parameters import parse_parameters
from worldtune.summary import summarise

logger = logging.getLogger(__name__)

RECORDED_PACKAGES = ("kedro", "torch", "transformers", "tokenizers", "pandas", "pyarrow")


class ParameterHooks:
    """Stops a run whose parameters are wrong before it loads, writes or imports anything big.

    All domains are checked, not only the one that runs: hooks learn the pipeline later, and a
    parameter file with a mistake in it should not wait for its turn.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the merged parameters. Raises ClickException with one readable message."""
        try:
            _ = context.config_loader["parameters"]  # the loader parses and complains
        except ParameterError as error:
            raise click.ClickException(str(error)) from error


class ManifestHooks:
    """Writes what a run was made from: code, parameters, versions, machine."""

    def __init__(self) -> None:
        """Start without a context; Kedro hands it over before the run."""
        self._context: KedroContext | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for the run that follows."""
        self._context = context

    @hook_impl
    def before_pipeline_run(
        self, run_params: Mapping[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Save one manifest per domain of the pipeline, before its first node."""
        assert self._context is not None, "Kedro creates the context before it runs a pipeline"
        parameters = parse_parameters(self._context.config_loader["parameters"]).model_dump(
            mode="json"
        )
        shared = {key: value for key, value in parameters.items() if key not in DOMAINS}
        common = {
            "run_id": run_params["run_id"],
            "pipelines": run_params["pipeline_names"] or ["__default__"],
            "nodes": [node.name for node in pipeline.nodes],
            "environment": self._context.env or "local",
            **_describe_software(str(self._context.project_path)),
        }
        for domain in DOMAINS:
            if any(node.namespace == domain for node in pipeline.nodes):
                own = {"parameters": {**shared, domain: parameters[domain]}}
                catalog.save(f"{domain}.manifest", {"domain": domain, **common, **own})


class ProgressHooks:
    """One line when a node begins and one with its wall time when it ends."""

    def __init__(self) -> None:
        """Start with no run in sight."""
        self._num_nodes = 0
        self._num_begun = 0
        self._started_s: dict[str, float] = {}

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the nodes of the run."""
        self._num_nodes, self._num_begun = len(pipeline.nodes), 0

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Announce a node."""
        self._num_begun += 1
        self._started_s[node.name] = time.monotonic()
        logger.info("%s (%d of %d)", node.name, self._num_begun, self._num_nodes)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """State how long it took, loading and checking its inputs left out."""
        logger.info("%s took %.1f s", node.name, time.monotonic() - self._started_s[node.name])


class SummaryHooks:
    """Ends a run that made a report with its result and where to read on."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Show the table of every domain that was evaluated, and the path of its report."""
        for domain in DOMAINS:
            if f"{domain}.report" in pipeline.outputs():
                report = Path(catalog[f"{domain}.report"]._describe()["filepath"])
                click.echo(f"\n{summarise(catalog.load(f'{domain}.evaluation'))}")
                is_here = report.is_relative_to(Path.cwd())
                click.echo(f"\nReport: {report.relative_to(Path.cwd()) if is_here else report}")


class UserErrorHooks:
    """Shows errors that the user can mend as plain text, and keeps tracebacks for bugs of ours."""

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Replace a user error by a ClickException; anything else keeps its traceback."""
        is_wrapped = isinstance(error, DatasetError) and error.__cause__ is not None
        cause = error.__cause__ if is_wrapped else error
        is_ours = isinstance(cause, ValueError) and type(cause).__module__.startswith("worldtune.")
        if is_ours or isinstance(cause, DataValidationError):
            raise click.ClickException(str(cause)) from error
        if isinstance(_find_root(error), FileNotFoundError):
            raise click.ClickException(
                f"{error}\nRun the stage that writes it first, or the whole chain: "
                "kedro run --pipelines=rlvr_<domain>"
            ) from error


def _find_root(error: BaseException) -> BaseException:
    """The first error of a chain of causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _describe_software(project_path: str) -> dict[str, Any]:
    """Commit, versions and machine of this process."""
    return {
        "commit": _find_commit(project_path),
        "worldtune": __version__,
        "versions": {name: version(name) for name in RECORDED_PACKAGES},
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


def _find_commit(project_path: str) -> str | None:
    """The commit of the working tree, with "-dirty" if files differ; None outside git."""
    command = [
        "git",
        "-C",
        project_path,
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
        "--exclude=*",
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
