"""Maps for ilamb3 of the benchmark's reference and of what models answer: python maps.py FOLDER MODEL ...

A MODEL is a name of `subsoil models`, or a file or module:function as `subsoil score` takes it. This part
runs where subsoil is installed; compare.py, beside it, where ilamb3 is.
"""

import sys
from pathlib import Path

import subsoil
from subsoil.archive import registry
from subsoil.benchmark import answer, cells, cf, protocol, submission


def main(folder: Path, models: list[str]) -> None:
    source = registry.find("balesdent2018")
    reference = protocol.build(subsoil.read(source.path), sources=(source.entry(),))
    cf.write_cf(reference, folder / "profiles.nc")
    cells.write_cells(reference, folder / "reference.nc")
    for name in models:
        if name in subsoil.MODELS:
            prediction = answer.answer(subsoil.model(name), reference)
        else:
            prediction = submission.read(name, reference)
        path = cells.write_cells(reference, folder / "models" / f"{prediction.model}.nc", prediction)
        print(path, f"{len(prediction.failures)} profiles without an answer", *prediction.notes, sep="\n  ")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
