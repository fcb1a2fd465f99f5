"""Scores of ilamb3 for the maps that maps.py wrote: python compare.py FOLDER

Prints the bias and the spatial distribution scores of each depth class; FOLDER/ilamb3 keeps all that ilamb3
writes. Runs where ilamb3 is installed (Python 3.12 or later); subsoil is not needed there.
"""

import sys
from pathlib import Path

import ilamb3
import pandas as pd
import xarray as xr
import yaml
from ilamb3.run import run_study
from loguru import logger

VARIABLE = "fNewSoilLevels"


def study(folder: Path) -> Path:
    """One block for each depth class of the reference."""
    with xr.open_dataset(folder / "reference.nc") as reference:
        bounds = (100 * reference["depth_bnds"]).round().astype(int).values
        blocks = {
            f"{top}-{bottom} cm": {
                "sources": {VARIABLE: "reference.nc"},
                "analyses": ["bias", "spatial_distribution"],
                "transforms": [{"select_depth": {"value": float(depth)}}],
            }
            for depth, (top, bottom) in zip(reference["depth"].values, bounds, strict=True)
        }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"New carbon": blocks}, sort_keys=False))
    return path


def main(folder: Path) -> None:
    out = folder / "ilamb3"
    if out.exists():
        sys.exit(f"{out} is there already: remove it, ilamb3 would keep parts of it")
    logger.remove()  # what goes wrong is in the .log files of FOLDER/ilamb3
    reference = pd.DataFrame({"key": ["reference.nc"], "path": [str(folder / "reference.nc")]})
    models = [
        {"source_id": path.stem, "variable_id": VARIABLE, "frequency": "fx", "path": str(path)}
        for path in sorted((folder / "models").glob("*.nc"))
    ]
    ilamb3.conf.set(comparison_groupby=["source_id"], model_name_facets=["source_id"])
    run_study(str(study(folder)), pd.DataFrame(models), reference.set_index("key"), out)
    tables = [pd.read_csv(path).assign(depth=path.parent.name) for path in sorted(out.rglob("*.csv"))]
    rows = pd.concat(tables).query("source != 'Reference'")
    rows["from"] = rows["depth"].str.extract(r"(\d+)").astype(int)
    scores = rows.pivot_table(index=["source", "from", "depth"], columns="name", values="value")
    wanted = ["Bias [1]", "Bias Score [1]", "Correlation [1]", "Spatial Distribution Score [1]"]
    print(scores.droplevel("from")[wanted].round(3).to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve())
