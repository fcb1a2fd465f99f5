"""A figure as the page and the folder need it: panels, what they show, and three forms of output.

In the folder a figure is one file with its panels in a row (SVG and PNG). On the page each panel is
drawn by itself, so that panels stand side by side on a desk and below each other on a phone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from subsoil.reporting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panel:
    """One pair of axes: its title, how it is drawn, its size in inches."""

    title: str
    draw: Callable[["Axes"], None]
    height: float = 4.2
    width: float = style.WIDTH
    title_width: int = 44  # characters of a line


@dataclass(frozen=True)
class Drawing:
    """A figure: `name` of its files, `title`, one `sentence` made from the numbers, a `note`."""

    name: str
    title: str
    sentence: str
    panels: tuple[Panel, ...]
    note: str = ""

    @property
    def wide(self) -> bool:
        """Whether a panel needs more room than usual."""
        return max(panel.width for panel in self.panels) > style.WIDTH


@dataclass(frozen=True)
class Rendered:
    """The bytes of a figure's files and its panels as parts of the page."""

    drawing: Drawing
    svg: str
    png: bytes
    inline: tuple[str, ...]


def render(drawing: Drawing, simulated: bool) -> Rendered:
    """Draw every panel twice: together for the files, alone for the page."""
    panels = drawing.panels
    with style.canvas([(p.width, p.height) for p in panels], simulated) as figure:
        for panel, ax in zip(panels, figure.axes, strict=True):
            _draw(panel, ax)
        style.settle(figure)
        svg, png = style.svg(figure), style.png(figure)
    parts = tuple(_alone(drawing, number, simulated) for number in range(len(panels)))
    return Rendered(drawing, svg, png, parts)


def _alone(drawing: Drawing, number: int, simulated: bool) -> str:
    panel = drawing.panels[number]
    with style.canvas([(panel.width, panel.height)], simulated) as figure:
        _draw(panel, figure.axes[0])
        style.settle(figure)
        text = style.svg(figure)
    alt = f"{'Simulated data. ' if simulated else ''}{drawing.title}: {panel.title}. {drawing.sentence}"
    return style.inline(text, f"{drawing.name}{number}", alt)


def _draw(panel: Panel, ax: "Axes") -> None:
    panel.draw(ax)
    ax.set_title(fill(panel.title, panel.title_width))
