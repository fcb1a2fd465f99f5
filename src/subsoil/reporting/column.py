"""A soil column in five small panels with one depth axis: stock, new carbon, Δ14C, δ13C and age.

Of many columns the median is drawn, with the range of nine tenths of them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from subsoil.constants import CM_PER_M
from subsoil.errors import MissingExtra
from subsoil.reporting import style
from subsoil.reporting.quantities import joined, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (12.5, 5.4)
"""Inches."""
HELD, SHALLOWEST = 0.99, 100.0
"""Drawn to the depth (cm) above which this share of the carbon lies, and at least to 1 m."""
MOST_LINES = 5
MANY = (5.0, 50.0, 95.0)
"""Percentiles of many columns."""
LETTERS = 165
"""Of one line of the sentence."""


def draw(column: Any) -> tuple[str, bytes]:
    """The figure of a Dataset of `subsoil.columns.run` as SVG and PNG: same numbers, same bytes.

    Raises `MissingExtra` without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise MissingExtra("figures need matplotlib: pip install 'subsoil[models]'") from missing
    panels: Mapping[str, Callable[[Axes, Any], None]] = {
        "Stock": _stock,
        "New carbon": _new_carbon,
        "Δ14C": partial(_isotope, name="Delta14C", colour=style.ORANGE, label="Δ14C (‰)", left_out="14C"),
        "δ13C": partial(_isotope, name="delta13C", colour=style.GREEN, label="δ13C (‰ VPDB)", left_out="13C"),
        "Age of the carbon": _age,
    }
    end = deepest(column)
    shown = column.isel(sdepth=CM_PER_M * column["sdepth_bnds"].values[:, 0] < end)
    with matplotlib.rc_context(style.SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True)
        for ax, (title, panel) in zip(axes, panels.items(), strict=True):
            panel(ax, shown)
            ax.set_title(title)
        style.depth_axis(axes[0], end)
        for ax in axes[1:]:
            ax.set_ylabel("")
        figure.suptitle(_title(column), x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.supxlabel(fill(sentence(column), LETTERS), x=0.01, ha="left", fontsize=9)
        style.settle(figure)
        return style.svg(figure), style.png(figure)


def deepest(column: Any) -> float:
    """Depth to draw to, cm."""
    bottom = CM_PER_M * column["sdepth_bnds"].values[:, 1]
    stock = _middle(column, "cSoilLevels").cumsum()
    held = bottom[np.searchsorted(stock, HELD * stock[-1])]
    return float(min(max(held, SHALLOWEST), bottom[-1]))


def sentence(column: Any) -> str:
    """What the figure shows, from its numbers."""
    bounds = CM_PER_M * column["sdepth_bnds"].values
    middle = CM_PER_M * column["sdepth"].values
    stock, age = _middle(column, "cSoilLevels"), _middle(column, "ageSoilLevels", quantile=0.5)
    above = np.clip((30.0 - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0]), 0.0, 1.0) @ stock / stock.sum()
    drawn = np.flatnonzero(middle <= deepest(column))
    places = (drawn[0], int(np.argmin(abs(middle - 30.0))), drawn[-1])
    depths = list(dict.fromkeys(i for i in places if i <= drawn[-1]))
    years = column["labelling_years"].values
    year = years[int(np.argmin(abs(np.log(np.maximum(years, 0.1) / 50.0))))]
    new = _middle(column, "fNewSoilLevels", labelling_years=year)
    text = f"{number(stock.sum())} kg C m⁻², {number(100 * above, 2)} % of it above 30 cm. "
    text += f"Younger than {year:g} yr: " + joined(
        [f"{number(100 * new[i], 2)} % at {number(middle[i], 2)} cm" for i in depths]
    )
    old = [f"{float(f'{age[i]:.2g}'):g} yr at {number(middle[i], 2)} cm" for i in depths]
    text += ". Median age: " + joined(old)
    if "Delta14C" in column or "delta13C" in column:
        text += f". Isotopes as of a sample of {float(column.attrs['sampling_year']):g}"
    if "column" in column.dims:
        found = int((column["outcome"] == "converged").sum())
        text += f". Medians of {found} columns; shaded or dotted, nine tenths of them"
    return text + ". Steady state; dots stand at the nodes of the layers."


def _title(column: Any) -> str:
    title = str(column.attrs["title"]).partition(": soil carbon")[0]
    return title if len(title) < 90 else title[:87] + "..."


def _stock(ax: "Axes", column: Any) -> None:
    bounds = CM_PER_M * column["sdepth_bnds"].values
    thickness = (bounds[:, 1] - bounds[:, 0]) / CM_PER_M
    low, middle, high = (part / thickness for part in _range(column, "cSoilLevels"))
    edges = np.append(bounds[:, 0], bounds[-1, 1])
    ax.stairs(middle, edges, orientation="horizontal", color=style.BLUE, fill=True, alpha=0.25)
    ax.stairs(middle, edges, orientation="horizontal", color=style.BLUE, linewidth=1.7)
    if _many(column):
        for part in (low, high):
            ax.stairs(part, edges, orientation="horizontal", color=style.BLUE, linewidth=0.8, linestyle=":")
    ax.set_xlim(left=0.0)
    ax.set_xlabel("kg C m⁻³")


def _new_carbon(ax: "Axes", column: Any) -> None:
    years = column["labelling_years"].values
    if len(years) > MOST_LINES:
        years = years[np.linspace(0, len(years) - 1, MOST_LINES).round().astype(int)]
    for year, colour, mark in zip(
        years, style.pick(style.AGE_COLOURS[::-1], len(years)), style.MARKS, strict=False
    ):
        shares = [100.0 * part for part in _range(column, "fNewSoilLevels", labelling_years=year)]
        _line(ax, column, shares, colour, f"{year:g} yr", mark)
    ax.set_xlim(-2.0, 102.0)
    ax.set_xlabel("% of the carbon that is\nyounger than")
    style.legend_below(ax, 2, distance=0.62)


def _isotope(ax: "Axes", column: Any, name: str, colour: str, label: str, left_out: str) -> None:
    ax.set_xlabel(label)
    if name in column:
        _line(ax, column, _range(column, name), colour)
        ax.locator_params(axis="x", nbins=3)
        return
    ax.set_xticks([])
    ax.grid(False)
    why = str(column.attrs.get(f"{left_out}_left_out", "not computed")).partition(". Pass")[0]
    ax.text(0.5, 0.5, fill(f"Not drawn: {why}", 22), ha="center", va="center", transform=ax.transAxes,
            color=style.MUTED)  # fmt: skip


def _age(ax: "Axes", column: Any) -> None:
    depth = CM_PER_M * column["sdepth"].values
    quantiles = column["quantile"].values
    for low, high, alpha in ((0, -1, 0.15), (1, -2, 0.25)):
        youngest, oldest = (_middle(column, "ageSoilLevels", quantile=quantiles[i]) for i in (low, high))
        share = f"{100 * (quantiles[high] - quantiles[low]):.0f} %"
        ax.fill_betweenx(depth, youngest, oldest, color=style.PINK, alpha=alpha, linewidth=0, label=share)
    ages = [_middle(column, "ageSoilLevels", quantile=0.5), _middle(column, "meanAgeSoilLevels")]
    ax.plot(ages[0], depth, color=style.PINK, marker=".", label="median")
    ax.plot(ages[1], depth, color=style.INK, linestyle="--", linewidth=1.2, label="mean")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda age, _: f"{age:g}")
    ax.minorticks_off()
    ax.set_xlabel("yr (logarithmic)")
    style.legend_below(ax, 2, distance=0.62)


def _line(ax: "Axes", column: Any, values: Any, colour: str, label: str = "", mark: str = "o") -> None:
    depth = CM_PER_M * column["sdepth"].values
    if _many(column):
        ax.fill_betweenx(depth, values[0], values[2], color=colour, alpha=0.15, linewidth=0)
    ax.plot(values[1], depth, color=colour, marker=mark, markersize=3.2, label=label or None)


def _many(column: Any) -> bool:
    return "column" in column.dims and column.sizes["column"] > 1


def _range(column: Any, name: str, **at: float) -> list[Float[np.ndarray, " layer"]]:
    """Low, middle and high of the columns that have a state; three times the same for one column."""
    values = column[name].sel(at) if at else column[name]
    if "column" not in values.dims:
        return [values.values] * len(MANY)
    found = values.values[column["outcome"].values == "converged"]
    return list(np.percentile(found, MANY, axis=0))


def _middle(column: Any, name: str, **at: float) -> Float[np.ndarray, " layer"]:
    return _range(column, name, **at)[1]
