"""``worldtune --pipelines=rlvr_web``: ``kedro run`` of this project from its root folder."""

import sys
from pathlib import Path

import click
from kedro.framework.cli.project import run
from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project


def main() -> None:
    """Run a pipeline; the arguments are those of ``kedro run``."""
    project = find_kedro_project(Path.cwd())
    if project is None:
        click.echo(
            "Error: no worldtune project here. Change to a clone of the repository: its conf/ and "
            "data/ folders hold the parameters and the recorded transitions.",
            err=True,
        )
        sys.exit(1)
    bootstrap_project(project)
    run()


if __name__ == "__main__":
    main()
