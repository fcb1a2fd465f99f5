"""The documentation does what it says: commands and code run, links lead somewhere, tables match the code.

``python tests/test_docs.py`` rewrites docs/rules.md from the tables of rules.
"""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import typer

from subsoil import cli
from subsoil.age.distributions import BiExponential, StretchedExponential
from subsoil.age.simulate import simulate_archive
from subsoil.archive import rules
from subsoil.archive.readers import balesdent_layout, balesdent_rules, cells, israd, template
from subsoil.archive.readers.cells import Rule
from subsoil.newcarbon import new_carbon
from subsoil.variables import variables

ROOT = Path(__file__).parents[1]
README, TUTORIAL, RULES = ROOT / "README.md", ROOT / "docs/tutorial.md", ROOT / "docs/rules.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")
TOP = """# Rules

Every finding on the data has the name of a rule. **error**: the row is not used; **warning**: it is used,
repaired or marked, and flagged; **note**: a fact to know; **flag**: only a word in the column `flags`.
`subsoil check FILE` lists findings row by row, `rejects.csv` holds those of a study.

Written by `.venv/bin/python tests/test_docs.py` from the tables in the code.
"""
OF_THE_FILE = (
    Rule("encoding", "warning", "not UTF-8: read as Windows-1252; accents may be wrong"),
    Rule("decimal-comma", "note", "decimal commas throughout, cells split at another mark: read as points"),
    Rule("formula", "note", "the result stored in the file was read; paste values to be sure"),
    Rule("formula-without-value", "warning", "no result is stored: the cell counts as empty"),
    Rule("formula-text", "warning", "text that a spreadsheet would run as a formula counts as empty"),
)
ONLY_FLAGS = (
    Rule("small-contrast", "flag", "the error of the plants exceeds a quarter of their difference"),
    Rule("sample-error-imputed", "flag", "no spread of the replicates: the median of the archive"),
    Rule("reference-error-imputed", "flag", "no spread of the reference: the median of the archive"),
    Rule("end-member-error-default", "flag", "no error of the plants: the default"),
    Rule("author-f", "flag", "f of the source study, not from isotopes"),
    Rule("contrast-imputed", "flag", "difference of the plants unknown: the median of the archive"),
    Rule("stock-error-imputed", "flag", "no error of the stock: the median of the archive"),
    Rule("repaired", "flag", "a value of the row was replaced; the rule that did it stands beside"),
    Rule("filled", "flag", "a placeholder for a gap between sampled layers, where asked for"),
    Rule("simulated", "flag", "made by a model, not observed"),
)
SECTIONS: Mapping[str, tuple[Rule, ...]] = {
    "Any file": OF_THE_FILE,
    "Any cell": tuple(cells.CELL_RULES.values()),
    "Any archive": tuple(rules.RULES.values()),
    "The form": tuple(template.RULES.values()),
    "The 2018 workbook": (*balesdent_layout.LAYOUT_RULES.values(), *balesdent_rules.RULES.values()),
    "ISRaD": tuple(israd.RULES.values()),
    "Flags without a finding": ONLY_FLAGS,
}


class Block(NamedTuple):
    """One fenced block; ``words`` follow the language on its first line."""

    language: str
    words: tuple[str, ...]
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for indent, language, words, text in FENCE.findall(page.read_text("utf-8")):
        yield Block(language, tuple(words.split()), re.sub(f"^{indent}", "", text, flags=re.MULTILINE))


def follow(page: Path, folder: Path, *, data: bool) -> None:
    """Do what a page says in ``folder``, in its order; blocks marked ``data`` only where there are any."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        if "data" in block.words and not data:
            continue
        if block.language == "csv":
            (folder / block.words[0]).write_text(block.text, "utf-8")
        elif block.language == "python":
            exec(compile(block.text, str(page), "exec"), names)
        elif "run" in block.words:
            expected = next((int(w.removeprefix("exit=")) for w in block.words if w.startswith("exit=")), 0)
            for line in block.text.splitlines():
                assert cli.run(shlex.split(line, comments=True)[1:]) == expected, line


def rules_page() -> str:
    """docs/rules.md as the tables of rules give it."""
    parts = [TOP]
    for title, table in SECTIONS.items():
        parts.append(f"## {title}\n\n| rule | severity | meaning |\n|---|---|---|")
        parts += [f"| `{r.name}` | {r.severity} | {r.text.replace('|', chr(92) + '|')} |" for r in table]
        parts.append("")
    return "\n".join(parts)


def test_the_page_of_rules_is_that_of_the_tables() -> None:
    assert RULES.read_text("utf-8") == rules_page(), "rewrite it: python tests/test_docs.py"


def test_no_finding_without_a_rule_on_the_page() -> None:
    """Findings that are written without a table of rules have their names in the source."""
    written = set()
    for source in (ROOT / "src/subsoil").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reject" and len(node.args) > 4:
                rule, severity = node.args[4], node.args[6]
                if isinstance(rule, ast.Constant) and isinstance(severity, ast.Constant):
                    written.add((rule.value, severity.value))
    assert written == {(rule.name, rule.severity) for rule in OF_THE_FILE}


def test_every_flag_of_new_carbon_is_on_the_page() -> None:
    told = {rule.name for table in SECTIONS.values() for rule in table}
    archive = simulate_archive(1, n_profiles=12)
    bare = archive.layer.assign(
        lyr_13c_sd=float("nan"),
        pair_ref_13c_sd=float("nan"),
        pair_delta_veg=3.0,
        pair_delta_veg_sigma=float("nan"),
    )
    tables = [new_carbon(archive), new_carbon(replace(archive, layer=bare))]
    flags = {flag for table in tables for cell in table["flags"] for flag in cell.split("; ") if flag}
    assert {"sample-error-imputed", "reference-error-imputed", "small-contrast"} <= flags <= told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if not target.startswith("https://doi.org/"):
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every subsoil command of a page has a name and options that the command line knows."""
    group: Any = typer.main.get_command(cli.app)
    for block in blocks(page):
        for line in block.text.splitlines() if block.language == "sh" else ():
            program, *words = shlex.split(line, comments=True)
            if program.endswith("subsoil"):
                command = group.commands[words[0]]
                command.make_parser(command.make_context(words[0], [], resilient_parsing=True)).parse_args(
                    words[1:]
                )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(page, tmp_path, data=False)


def test_the_tutorial_prints_its_fractions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(TUTORIAL, tmp_path, data=False)
    lines = [
        line.strip("| \n").split(" | ") for line in TUTORIAL.read_text("utf-8").splitlines() if "|" in line
    ]
    shown = pd.DataFrame([list(map(float, row)) for row in lines[2:]], columns=lines[0])
    written = pd.read_csv(tmp_path / "fractions.csv")[lines[0]].round(2).astype(float)
    pd.testing.assert_frame_equal(shown, written)


@pytest.mark.data
def test_pages_run_on_the_workbook(workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks that need data, with a sampler that is only tried."""
    from subsoil.age import fit
    from subsoil.age.sampler import Sampling

    defaults = fit.fit_age.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "sampling", Sampling(chains=1, warmup=5, draws=5))
    monkeypatch.chdir(tmp_path)
    (tmp_path / workbook.name).symlink_to(workbook)
    for page in (README, TUTORIAL):
        follow(page, tmp_path, data=True)


def symbols() -> Iterator[tuple[str, str, str]]:
    """Name, where, unit of each row of the page of symbols."""
    for line in (ROOT / "docs/symbols.md").read_text("utf-8").splitlines():
        row = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)][1:-1]
        if len(row) == 5 and row[1].startswith("`"):
            yield row[1].strip("`"), row[2], row[3]


def test_symbols_have_the_names_and_units_of_the_code() -> None:
    priors = tomllib.loads((files("subsoil.age") / "priors.toml").read_text("utf-8"))
    records = {
        kind.__name__: {f.name for f in fields(kind)} for kind in (BiExponential, StretchedExponential)
    }
    rows = list(symbols())
    assert len(rows) > 30
    for name, where, unit in rows:
        if where == "variables.toml":
            assert variables()[name].unit == unit, name
        elif where == "priors.toml":
            assert priors[name]["unit"] == unit, name
        else:
            assert name in records[where], name


if __name__ == "__main__":
    RULES.write_text(rules_page(), "utf-8")
