"""The command line: each command parses, calls the pipeline and prints a path or a table.

Everything heavy is imported inside the commands, so that ``subsoil --help`` answers at once.
Tables go to standard output (plain CSV when it is not a terminal); progress and errors go to
standard error, an error in one line that says what to do.
"""

from subsoil.cli import archive, benchmark, machine, models, study
from subsoil.cli.app import app
from subsoil.cli.edge import main, run

__all__ = ["app", "main", "run"]

for command in (
    study.study,
    archive.fetch,
    archive.check,
    archive.template,
    archive.fractions,
    study.ages,
    study.report,
    models.models,
    models.run,
    models.label,
    benchmark.leaderboard,
    benchmark.score,
    machine.doctor,
):
    app.command()(command)
