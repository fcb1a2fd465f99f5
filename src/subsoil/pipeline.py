"""The flows, each a function of a screen: start reading here.

archive -> new carbon -> age models -> headline numbers, drivers, claims -> report
model + forcing -> column at rest -> stock, new carbon, isotopes and ages by depth -> NetCDF, figure
archive -> reference; models -> answers; both -> scores with intervals -> leaderboard
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from subsoil import __version__, atomic, published
from subsoil.archive import registry
from subsoil.archive.harmonise import at_depths, cumulative_stocks, standard_layers
from subsoil.archive.readers import READERS, balesdent2018, read
from subsoil.archive.release import RELEASES, version_of, write_release
from subsoil.archive.schema import Archive
from subsoil.archive.validate import validate
from subsoil.errors import BadCall, ChecksumMismatch, MissingData
from subsoil.listing import TRACERS, check_model, list_models, list_parameters
from subsoil.machine import doctor
from subsoil.modelrun import label_model, run_model
from subsoil.newcarbon import new_carbon
from subsoil.record import Progress, Record, manifest, silent, write_tables
from subsoil.studies import Study, load

__all__ = [
    "TRACERS", "Run", "ages", "analyse", "asked", "check", "check_model", "doctor", "fetch", "fractions",
    "label_model", "leaderboard", "list_models", "list_parameters", "report", "run_model", "score", "study",
    "template",
]  # fmt: skip

ATTRIBUTES = ["profile_id", "site_id", "study_id", "mat", "map", "p_pet", "clay", "clay_source", "land_use",
              "latitude", "longitude", "label_type", "obs_year"]  # fmt: skip
CURVE_AGES = (7.0, 22.0, 100.0, 1500.0)
"""Labelling times (yr) of the predicted profiles: medians of the four classes of the paper's Fig. 1."""


@dataclass(kw_only=True)
class Run(Record):
    """What a running study carries along."""

    study: Study


def study(
    name: str = "balesdent2018",
    out: Path | str = Path("out"),
    data: Path | None = None,
    demo: bool = False,
    or_demo: bool = False,
    quick: bool = False,
    key: int | None = None,
    progress: Progress = silent,
) -> Path:
    """Run a study and write its folder; returns the path of the report.

    The data are looked for in ``data``, SUBSOIL_DATA, the cache, and at the publisher. Without them the study
    stops with `MissingData`; with ``or_demo`` it goes on with a simulated archive, and with ``demo`` it
    starts there; every page and table then says so. ``quick`` samples less; ``key`` is another random key.
    """
    from subsoil.age.sampler import use_cores

    use_cores()  # before JAX starts
    run = Run(progress=progress, study=load(name, key=key, quick=quick))
    run.step("read the archive", 0.0)
    archive, provenance, printed = _open(run.study, data, demo, or_demo)
    analyse(archive, run, printed)
    run.step("draw the report", 0.95)
    return _write(run, archive, provenance, Path(out))


def analyse(archive: Archive, run: Run, printed: pd.DataFrame | None = None) -> None:
    """The method section: every table of the study, in the order of the argument.

    ``printed``: f at depths as the source prints them (profile_id, depth_cm, f_new); what the age model is
    scored against on sites left out. Without them our own values at these depths are.
    """
    from subsoil.age import claims, drivers, headline, regression
    from subsoil.age.carbon import DEPTHS
    from subsoil.age.profiles import profile_table, sampling_covariances

    study, tables = run.study, run.tables

    run.step("new carbon of each layer", 0.02)
    layers = tables["fractions"] = new_carbon(archive)
    profiles = layers.drop_duplicates("profile_id")[ATTRIBUTES].reset_index(drop=True)
    values = tables["depths"] = _at_depths(layers, study.depths_cm)
    stocks = cumulative_stocks(layers, DEPTHS)
    tables["stocks"] = _mean_densities(layers)

    run.step("age of carbon: the published regression", 0.04)
    regressed = regression.regress(values)
    tables["regression"] = regressed.table
    tables["subsets"] = regression.sensitivity(values, stocks=stocks)
    tables["headline"] = headline.headline(values, stocks, key=study.key, replicates=study.replicates)

    target = values if printed is None else printed
    models = _hierarchical(layers, target, profiles, regressed, run)

    run.step("drivers and claims", 0.85)
    tables["choices"] = headline.choices(
        values, stocks, key=study.key, replicates=min(study.replicates, 200), models=models
    )
    by_profile = profile_table(archive, layers, stocks)
    errors = sampling_covariances(layers, by_profile)
    answers = tables["drivers"] = drivers.drivers(by_profile, errors)
    comparison = tables["aridity"] = drivers.aridity_against_temperature(by_profile, seed=study.key)
    tables["heterogeneity"] = drivers.heterogeneity(by_profile, errors)
    tables["bias"] = drivers.bias_checks(by_profile, errors)
    tables["claims"] = claims.claims(answers, comparison, tables["headline"])
    tables["rejects"] = archive.rejects


def _hierarchical(
    layers: pd.DataFrame, values: pd.DataFrame, profiles: pd.DataFrame, regressed: Any, run: Run
) -> Mapping[str, Mapping[str, Any]]:
    """The hierarchical age model: fitted, checked, scored on sites left out, and turned into curves."""
    from subsoil.age import population, regression
    from subsoil.age.diagnose import diagnostics, prior_predictive
    from subsoil.age.fit import fit_age
    from subsoil.age.heldout import AS_OBSERVED, Candidate, held_out
    from subsoil.age.model import partially_pooled, pooled, unpooled
    from subsoil.age.sampler import FULL, QUICK
    from subsoil.age.subsets import TROPICAL, WORLD
    from subsoil.datasets import age_data

    study, tables = run.study, run.tables
    run.step("age of carbon: the hierarchical model", 0.1)
    sampling = QUICK if study.quick else FULL
    posterior = fit_age(
        layers, partially_pooled, key=study.key, covariates=study.covariates, sampling=sampling
    )
    run.outcomes["hierarchical age model"] = posterior.attrs["outcome"]
    tables["diagnostics"] = diagnostics(posterior)
    tables["prior"] = prior_predictive(age_data(layers, study.covariates), partially_pooled, key=study.key)

    run.step("sites left out", 0.3)
    candidates = [
        Candidate("partially pooled + covariates", partially_pooled, study.covariates),
        Candidate("partially pooled", partially_pooled),
        Candidate("pooled", pooled),
        Candidate("unpooled", unpooled),
    ]
    scored = held_out(
        layers, values, candidates, key=study.key, folds=study.folds,
        progress=lambda step, done: run.progress(step, 0.3 + 0.5 * done),
    )  # fmt: skip
    tables["heldout"] = scored.scores
    best = f"{candidates[0].name}, {AS_OBSERVED}"
    tables["residuals"] = scored.forecasts[scored.forecasts["model"] == best]

    run.step("curves by depth and age", 0.8)
    tropical = profiles[TROPICAL.mask(profiles)]
    tables["isochrones"] = pd.concat(
        [
            regression.isochrones(regressed, study.ages_yr),
            population.isochrones(posterior, tropical, study.depths_cm, study.ages_yr),
            published.isochrones(),
        ],
        ignore_index=True,
    )
    curves = population.isochrones(posterior, profiles, np.arange(0.0, 101.0, 5.0), CURVE_AGES)
    shares = {
        n: curves[f"percent_{c}"] / 100
        for n, c in (("f_new", "younger"), ("lower", "lower"), ("upper", "upper"))
    }
    tables["predictions"] = curves[["depth_cm"]].assign(labelling_years=curves["age_yr"], **shares)
    draws = {
        n: population.age_draws(posterior, profiles, s) for n, s in (("world", WORLD), ("tropical", TROPICAL))
    }
    return {population.METHOD: draws}


def check(path: Path | str, reader: str | None = None) -> Archive:
    """Read a file of a user and check every row; what was found is in ``rejects`` of the result."""
    return validate(read(path, reader), file=Path(path).name)


def fractions(path: Path | str, out: Path | str | None = None) -> pd.DataFrame:
    """New-carbon fractions of a user's own profiles, with intervals; ``out`` is a CSV to write."""
    table = new_carbon(check(path))
    if table.empty:
        raise BadCall(
            f"{path}: no layer has a new-carbon fraction; `subsoil check {path}` says what is missing"
        )
    if out is not None:
        atomic.write_text(out, table.to_csv(index=False))
    return table


def fetch(names: Sequence[str] | None = None, data: Path | None = None) -> list[Path]:
    """Find or download data sets by key (default: those a study can start from); returns their places."""
    wanted = names or list(READERS.keys() & registry.cards().keys())
    return [registry.find(name, data, progress=True).path for name in sorted(wanted)]


def template(path: Path | str) -> Path:
    """Write the form for a user's own profiles, .xlsx or .csv."""
    from subsoil.archive.template import write_template

    return write_template(path)


def report(results: Any, scores: pd.DataFrame | None = None, *, to: Path | str | None = None) -> Path:
    """Draw report.html: again from a study's folder, or for a posterior of your own in a new folder ``to``.

    ``results``: the folder, or a posterior of `subsoil.fit_age`; ``scores``: of `subsoil.held_out`. A page of
    a posterior holds its curves at the study's depths and ages, convergence and scores.
    """
    from subsoil.reporting import page

    if to is None:
        return page.build(results)
    from subsoil.age import population
    from subsoil.age.diagnose import diagnostics

    plan = load("balesdent2018")
    tables = {"isochrones": population.average_profile(results, plan.depths_cm, plan.ages_yr)}
    tables |= {"diagnostics": diagnostics(results)} | ({} if scores is None else {"heldout": scores})
    with atomic.folder(to) as folder:
        for name, table in tables.items():
            atomic.write_text(folder / f"{name}.csv", table.to_csv(index=False))
        atomic.write_json(folder / "manifest.json", {"versions": {"subsoil": __version__}, **results.attrs})
        page.build(folder)
    return Path(to) / "report.html"


def ages(depths: Sequence[float], years: Sequence[float], out: Path | str | None = None) -> pd.DataFrame:
    """Percent of tropical grassland and forest carbon younger than an age: the published regression.

    At depths and ages of your choice, fitted to the 2018 workbook, with standard errors.

    Raises
    ------
    MissingData
        The workbook is not on this machine and cannot be downloaded.
    """
    from subsoil.age import regression

    layers = new_carbon(_archive(registry.find(load("balesdent2018").source).path))
    values = _at_depths(layers, sorted(set(depths)))
    curves = regression.isochrones(regression.regress(values), sorted(set(years)))
    if out is not None:
        atomic.write_text(out, curves.to_csv(index=False))
    return curves


def leaderboard(
    out: Path | str = Path("out/leaderboard"),
    data: Path | None = None,
    models: Sequence[str] | None = None,
    demo: bool = False,
    seed: int = 0,
    resamples: int = 2000,
    progress: Progress = silent,
) -> Path:
    """Score soil models against the archive and write a folder of results; returns the path of the page.

    ``models``: names of `list_models`, all by default; ``data`` and ``demo`` as in `study`. The same data,
    ``seed`` and ``resamples`` give the same tables.

    Raises
    ------
    BadCall
        A name is unknown, or there are fewer than 2 resamples.
    MissingData
        The 2018 workbook is not on this machine and cannot be downloaded. Without measured Delta14C the
        other scores are made, and a note says what is left out.
    """
    from subsoil import scoreboard
    from subsoil.models import catalogue

    record, names = Record(progress=progress), scoreboard.named(models, catalogue.homes())
    atomic.replaceable(out)
    asked_for = {"--models": ",".join(names) if models else None, "--demo": "" if demo else None}
    command = scoreboard.command("leaderboard", asked_for, seed, resamples)
    setting = _reference(record, data, demo)
    answers = scoreboard.asked(record, names, setting)
    return _scored(record, setting, answers, out, seed, resamples, command=command)[0]


def score(
    source: Path | str,
    out: Path | str | None = None,
    name: str | None = None,
    data: Path | None = None,
    demo: bool = False,
    seed: int = 0,
    resamples: int = 2000,
    progress: Progress = silent,
) -> tuple[Path, pd.DataFrame]:
    """Score anyone's model: the path of the page, and its main scores beside floor and ceiling.

    ``source``: NetCDF or CSV of its output, or ``module:function`` (`subsoil.benchmark.submission`); ``name``
    it is shown by, that of the file by default; ``out`` the folder, out/score/NAME by default.

    Raises
    ------
    BadCall
        The file's units, axes or numbers cannot be what they are said to be, or as in `leaderboard`.
    UnreadableFile
        There is no such file, or it is of another kind.
    MissingData
        As in `leaderboard`.
    """
    from dataclasses import replace

    from subsoil import scoreboard
    from subsoil.benchmark import submission

    record, shown = Record(progress=progress), scoreboard.shown(source, name)
    folder = atomic.replaceable(Path("out/score") / shown if out is None else out)
    setting = _reference(record, data, demo)
    record.step(f"read {source}", 0.3)
    answer = replace(submission.read(source, setting.reference), model=shown)
    given = {"--name": name, "--demo": "" if demo else None}
    command = scoreboard.command(f"score {source}", given, seed, resamples)
    page, table = _scored(
        record, setting, [answer], folder, seed, resamples, command=command, submitted=[shown]
    )
    return page, scoreboard.short(table, shown)


def asked(out: Path | str, data: Path | None = None, demo: bool = False) -> pd.DataFrame:
    """Write the form of a submission: every profile, layer and time that a model is asked for.

    No observation is in it. Raises MissingData without the 2018 workbook.
    """
    from subsoil import scoreboard

    table = scoreboard.form(_reference(Record(), data, demo).reference)
    atomic.write_text(out, table.to_csv(index=False))
    return table


def _reference(record: Record, data: Path | None, demo: bool) -> Any:
    """What models are scored against (`subsoil.scoreboard.Given`)."""
    from subsoil import scoreboard
    from subsoil.age.sampler import use_cores

    use_cores()  # before JAX starts
    record.step("read the data", 0.0)
    plan = load("balesdent2018")
    archive, provenance, _ = _open(plan, data, demo, or_demo=False)
    layers = new_carbon(archive)
    return scoreboard.given(archive, layers, _at_depths(layers, plan.depths_cm), [provenance], plan, data)


def _scored(
    record: Record,
    setting: Any,
    answers: Sequence[Any],
    out: Path | str,
    seed: int,
    resamples: int,
    **told: Any,
) -> tuple[Path, pd.DataFrame]:
    """The answers scored beside floor, ceiling and noise, and written: the page and the scores."""
    from subsoil import publication, scoreboard
    from subsoil.benchmark import leaderboard as board

    record.step("floor, ceiling and noise", 0.5)
    predictions = [*scoreboard.baselines(record, setting, seed), *answers]
    record.step("score", 0.6)
    table = board.score(
        predictions, setting.reference, expected=setting.expected, resamples=resamples, seed=seed,
        progress=lambda step, done: record.progress(step, 0.6 + 0.3 * (done or 0.0)),
    )  # fmt: skip
    record.step("draw the page", 0.9)
    publication.keep(record, setting, predictions, table)
    page = publication.write(record, setting, predictions, out, seed=seed, resamples=resamples, **told)
    return page, table


def _open(
    study: Study, data: Path | None, demo: bool, or_demo: bool
) -> tuple[Archive, dict[str, Any], pd.DataFrame | None]:
    """The archive of a study, where it came from, and f at depths as its source prints them."""
    from subsoil.age.simulate import simulate_archive

    if not demo:
        try:
            found = registry.find(study.source, data)
            archive = _archive(found.path)
            return archive, found.entry(), _printed(archive, found.path)
        except (MissingData, ChecksumMismatch):  # a publisher may send another file
            if not or_demo:
                raise
    made = {"key": "simulated", "where": "made by subsoil.age.simulate"}
    return validate(simulate_archive(study.key)), made, None


def _printed(archive: Archive, path: Path) -> pd.DataFrame:
    """The workbook's own f at 0, 10 ... 100 cm."""
    profile = archive.profile[archive.profile["ref_pro_name"].notna()].set_index("entry_name")["pro_name"]
    values = balesdent2018.summary(path)["f_depth"].dropna(subset=["f"])
    names = values["entry_name"] + "/" + values["entry_name"].map(profile)
    return pd.DataFrame({"profile_id": names, "depth_cm": values["depth_cm"], "f_new": values["f"]})


def _archive(path: Path) -> Archive:
    return validate(read(path), file=path.name)


def _at_depths(layers: pd.DataFrame, depths_cm: Sequence[float]) -> pd.DataFrame:
    """f_new at depths as the 2018 paper reads it off the layers, with what is known of each profile."""
    profiles = layers.drop_duplicates("profile_id")[ATTRIBUTES]
    values = at_depths(layers, depths_cm, "balesdent2018").dropna(subset=["f_new"])
    return values.merge(profiles, on="profile_id", validate="m:1")


def _mean_densities(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean carbon and new-carbon density by 10 cm layers (kg C m-3), standard errors between sites."""
    table = standard_layers(layers, np.arange(0, 101, 10)).table.dropna(subset=["soc_stock", "new_soc_stock"])
    table = table.merge(layers.drop_duplicates("profile_id")[["profile_id", "site_id"]], on="profile_id")
    rows = []
    for _, group in table.groupby("layer_top"):
        middle = 0.5 * (group["layer_top"].iloc[0] + group["layer_bottom"].iloc[0])
        row = {"depth_cm": middle, "n": len(group)}
        for name in ("soc_density", "new_soc_density"):
            by_site = (group[name] - group[name].mean()).groupby(group["site_id"]).sum()
            row |= {name: group[name].mean(), f"{name}_se": float((by_site**2).sum() ** 0.5 / len(group))}
        rows.append(row)
    return pd.DataFrame(rows)


def _write(run: Run, archive: Archive, provenance: Mapping[str, Any], out: Path) -> Path:
    """All tables, the manifest and the report in one folder, which takes its place in one step."""
    from subsoil.reporting import page

    release = write_release(archive, registry.cache_folder() / RELEASES, version_of(archive), [provenance])
    with atomic.folder(out) as folder:
        write_tables(run, folder, archive.simulated)
        atomic.write_text(folder / "study.toml", run.study.toml())
        run.step("", 1.0)
        told = manifest(run, folder, [provenance], archive.simulated, run.study.key)
        atomic.write_json(
            folder / "manifest.json", told | {"study": asdict(run.study), "release": release.name}
        )
        page.build(folder)
    return Path(out) / "report.html"
