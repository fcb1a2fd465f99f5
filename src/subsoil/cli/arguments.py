"""Options that several commands share, and the words people write after them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from subsoil.errors import BadCall

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of published data; else SUBSOIL_DATA, cache, download."
    ),
]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="One of `subsoil models`, or your own: mine.py.")
]
Mat = Annotated[float | None, typer.Option(help="Mean annual temperature, degC.")]
Map = Annotated[float | None, typer.Option(help="Mean annual precipitation, mm.")]
Site = Annotated[
    str, typer.Option(metavar="TEXT", help="What else is known, as 'clay=0.25,npp=0.5,biome=crops'.")
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; may be repeated.")
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print plain CSV, as when the output is piped.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every step on a line of its own.")]


def numbers(option: str, text: str) -> list[float]:
    """Numbers from '0, 30,100'; every one finite and not negative."""
    try:
        values = [float(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        raise BadCall(f"{option} expects numbers with commas such as 10,30,100; got {text!r}") from None
    if not values or not all(0 <= value < float("inf") for value in values):
        raise BadCall(f"{option} expects numbers from 0 up, such as 10,30,100; got {text!r}")
    return values


def pairs(option: str, text: str) -> dict[str, str]:
    """Names and values from 'clay=0.25, npp=0.5'."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise BadCall(f"{option} expects name=value with commas between, such as clay=0.25; got {part!r}")
        if name in found:
            raise BadCall(f"{option} gives {name} twice")
        found[name] = value
    return found


def known_of_site(mat: float | None, map_mm: float | None, text: str) -> dict[str, Any]:
    """What is known of a site: numbers where they are, words such as a biome, None for 'none'."""
    known: dict[str, Any] = {}
    for name, value in pairs("--site", text).items():
        try:
            known[name] = None if value == "none" else float(value)
        except ValueError:
            known[name] = value
    for name, number in (("mat", mat), ("map", map_mm)):
        if number is not None:
            if name in known:
                raise BadCall(f"--{name} and --site both give {name}")
            known[name] = number
    return known


def changed(given: list[str] | None) -> dict[str, float]:
    """Parameters to change."""
    changes = {}
    for name, value in pairs("--set", ",".join(given or ())).items():
        try:
            changes[name] = float(value)
        except ValueError:
            raise BadCall(f"--set expects a number, such as {name}=0.1; got {value!r}") from None
    return changes
