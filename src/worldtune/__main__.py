"""``worldtune --pipelines=rlvr_web``: ``kedro run`` of this project from its root folder.

``worldtune export --domain web --to trl`` writes a domain's data and rewards for another trainer.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.cli.project import run
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project

from worldtune.domains import DOMAINS

if TYPE_CHECKING:
    from worldtune.export.write import Trainer


def main() -> None:
    """Run a pipeline, with the arguments of ``kedro run``, or export a domain."""
    if sys.argv[1:2] == ["export"]:
        export(args=sys.argv[2:], prog_name="worldtune export")
    else:
        _enter_project()
        run()


def _enter_project() -> Path:
    """Load the settings of the project around the working directory; ends where there is none."""
    project: Path | None = find_kedro_project(Path.cwd())
    if project is None:
        click.echo(
            "Error: no worldtune project here. Change to a clone of the repository: its conf/ and "
            "data/ folders hold the parameters and the recorded transitions.",
            err=True,
        )
        sys.exit(1)
    bootstrap_project(project)
    return project


@click.command()
@click.option("--domain", type=click.Choice(DOMAINS), required=True)
@click.option("--to", type=click.Choice(["trl", "verl"]), required=True, help="The trainer.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to. [default: DOMAIN_TRAINER beside the tables of the domain]",
)
@click.option("--split", "splits", multiple=True, help="One split; repeatable. [default: all]")
@click.option("--env", help="Environment of the parameters and tables, as for kedro run.")
def export(
    domain: str, to: "Trainer", out: Path | None, splits: tuple[str, ...], env: str | None
) -> None:
    """Write the data and the rewards of a domain for training with TRL or verl."""
    from worldtune.export.write import find_tables, write_export  # noqa: PLC0415 - runs need none

    project = _enter_project()
    session = KedroSession.create(project, env=env)
    with session:
        context = session.load_context()
        parameters = context.config_loader["parameters"][domain]
        tables = Path(context.catalog[f"{domain}.train_set"]._describe()["filepath"]).parent
    try:
        files = write_export(
            find_tables(tables, splits, domain=domain),
            out or tables.with_name(f"{domain}_{to}"),
            domain=domain,
            task=parameters["task"],
            rlvr=parameters["rlvr"],
            to=to,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for file in files:
        click.echo(file)


if __name__ == "__main__":
    main()
