"""One look for every figure, and bytes that do not change from run to run.

A colour is a pair: what is drawn on white paper, and what the page shows instead in dark mode. The
qualitative colours are those of Okabe and Ito, the ordered ones a part of `plasma` and `viridis`:
all are told apart with the common kinds of colour blindness, and lines keep a contrast of 3 : 1.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#20242a", "#59606a", "#d8dce1", "#ffffff"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#d55e00", "#00805d", "#b4518b", "#747b85"
SKY = "#2b8cc4"
LAND = "#e9e6df"

# from old (dark) to young (light); plasma 0 ... 0.62 on paper, 0.42 ... 1 in the dark
AGE_COLOURS = ("#0d0887", "#42049e", "#6a00a8", "#900da4", "#b12a90", "#c8437b", "#da5b69", "#e5714f")
# from deep (dark) to shallow (light); viridis 0 ... 0.56 on paper, 0.4 ... 1 in the dark
DEPTH_COLOURS = ("#440154", "#433e85", "#34618d", "#25838e", "#1e9a80")

# too young and too old: from faint to deep, ink stays legible on all of them in both themes
YOUNGER = ("#fbe6d6", "#f5bf98", "#e8925a")
OLDER = ("#dcebf6", "#a5cdea", "#66aada")
NEUTRAL = "#eef0f2"

DARK = {
    INK: "#e8eaed",
    MUTED: "#a9b0ba",
    GRID: "#3a4049",
    PAPER: "#171a1f",
    BLUE: "#56b4e9",
    ORANGE: "#ff8b3d",
    GREEN: "#2ec9a0",
    PINK: "#e79fc6",
    GREY: "#9aa2ad",
    SKY: "#8fd0f5",
    LAND: "#2a2f36",
    **dict(
        zip(
            AGE_COLOURS,
            ("#b1329a", "#b93389", "#cb4779", "#da5a6a", "#e76f5a", "#f48849", "#fba238", "#fcd225"),
            strict=True,
        )
    ),
    **dict(zip(YOUNGER, ("#3a291c", "#64391a", "#8f4b16"), strict=True)),
    **dict(zip(OLDER, ("#1b2c3a", "#1d4664", "#1c608f"), strict=True)),
    NEUTRAL: "#252a31",
    **dict(zip(DEPTH_COLOURS, ("#5a8fd6", "#2aa5a0", "#35b779", "#90d743", "#f0e51d"), strict=True)),
}
MARKS = ("o", "s", "^", "D", "v", "P", "X")
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY)

COLUMNS = 2  # panels in a row of a figure file
WIDTH = 4.6  # inches of one panel: legible on a phone without zooming
SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # names from data may hold dollar signs
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.7,
    "svg.hashsalt": "subsoil",
    "svg.fonttype": "path",
    "figure.facecolor": PAPER,
    "axes.unicode_minus": True,
}


@contextmanager
def canvas(sizes: Sequence[tuple[float, float]], simulated: bool) -> Iterator["Figure"]:
    """An empty figure of panels in our style, at most two in a row; sizes are inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        columns = min(len(sizes), COLUMNS)
        rows = -(-len(sizes) // columns)
        heights = [max(height for _, height in sizes[i * columns : (i + 1) * columns]) for i in range(rows)]
        width = columns * max(width for width, _ in sizes)
        figure = Figure(figsize=(width, sum(heights)), layout="constrained")
        figure.subplots(rows, columns, height_ratios=heights, squeeze=False)
        for unused in figure.axes[len(sizes) :]:
            unused.remove()
        if simulated:
            figure.suptitle(
                "SIMULATED DATA, no measurements",
                color=ORANGE,
                fontsize=9,
                fontweight="bold",
                x=0.99,
                ha="right",
            )
        yield figure


def pick(colours: Sequence[str], wanted: int) -> list[str]:
    """`wanted` colours spread evenly over an ordered scale; repeated when it has too few."""
    last = len(colours) - 1
    return [colours[round(i * last / max(wanted - 1, 1))] for i in range(wanted)]


def depth_axis(ax: "Axes", deepest: float) -> None:
    """Depth downwards, in cm, with room for the marks at both ends."""
    deepest = deepest if deepest > 0 else 100.0  # also where nothing is drawn
    ax.set_ylim(1.025 * deepest, -0.025 * deepest)
    ax.set_ylabel("Depth (cm)")


def legend_below(ax: "Axes", columns: int, title: str | None = None, distance: float = 0.5) -> None:
    """A legend under the axis label, where it hides no data; `distance` inches below axes of any height."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    if figure is None or not ax.get_legend_handles_labels()[0]:
        return
    legend = ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -distance, figure.dpi_scale_trans),
        ncols=columns,
        title=title,
        columnspacing=1.1,
        handlelength=1.6,
        borderaxespad=0.0,
    )
    legend.get_title().set_fontsize(8.5)


def settle(figure: "Figure") -> None:
    """Lay the figure out once: every output of it has the same places, and saving it draws it once."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def svg(figure: "Figure") -> str:
    """The figure as SVG text: no date, stable identifiers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "subsoil"})
    return buffer.getvalue()


def png(figure: "Figure") -> bytes:
    """The figure as PNG at 200 dots per inch, without the name of the software."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return buffer.getvalue()


def inline(text: str, name: str, alt: str) -> str:
    """The SVG as a part of the page: own identifiers, colours that follow the theme, alternative text."""
    from html import escape

    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r"#[0-9a-f]{6}", lambda found: themed(found.group()), body)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def themed(colour: str) -> str:
    """The CSS variable of one of our colours; any other colour stays."""
    return f"var(--c{colour[1:]})" if colour in DARK else colour


def theme(dark: bool) -> str:
    """CSS declarations of every colour of the figures."""
    return "".join(f"--c{light[1:]}:{night if dark else light};" for light, night in DARK.items())
