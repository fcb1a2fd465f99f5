"""The command that says what this machine has and lacks."""

import typer

from subsoil.cli.arguments import AsCsv
from subsoil.cli.terminal import plain_wanted, print_table


def doctor(as_csv: AsCsv = False) -> None:
    """What is missing on this machine, and what to do."""
    import pandas as pd

    from subsoil import pipeline

    findings = pipeline.doctor()
    table = pd.DataFrame(findings, columns=["check", "ok", "detail", "fix"])
    table["ok"] = table["ok"].map({True: "yes", False: "no"})
    print_table(table, plain_wanted(as_csv), "This machine")
    raise typer.Exit(0 if all(ok for _, ok, _, _ in findings) else 1)
