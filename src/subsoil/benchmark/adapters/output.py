"""What a model says of profiles, whatever it was read from, and the mistakes that its numbers give away.

Checks look at all profiles at once: one odd number is the model's own, the same oddity everywhere is a wrong
unit, the share of old carbon instead of new, or a sum from the surface.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from subsoil.errors import BadCall

MOST = 1.5
"""A share of which half the values are above this is in per cent."""
FALLS = 1e-3
"""f_new may fall by this much with time before it counts: round-off and noise of a model's own."""
DATES = (1700.0, 2300.0)
"""Labelling times that all lie between these are calendar years."""
ABSOLUTE = 1e-6
"""14C of which every number is below this is an absolute ratio 14C/C."""
RATIO = 3.0
"""14C of which every number lies between 0 and this is F14C; per mil of many layers never is."""
MOSTLY = 0.6
"""Share of steps down with more carbon per thickness from which a stock that always grows is a sum."""
LEAST = 5
"""Numbers from which such a pattern counts."""


@dataclass(frozen=True)
class Asked:
    """What a reference asks for: all labelling times and ages (yr), and each profile's own labelling time."""

    years: tuple[float, ...]
    own: Float[np.ndarray, " profile"]


@dataclass(frozen=True, eq=False)
class Output:
    """A model's columns at profiles.

    layer_top, layer_bottom: cm, NaN where a column has fewer layers than the others. years: time since the
    label was switched on, or age. soc_stock: a layer, in any one unit, None where not known. delta14c: per
    mil in the years obs_year.
    """

    profile_id: tuple[str, ...]
    layer_top: Float[np.ndarray, "profile layer"]
    layer_bottom: Float[np.ndarray, "profile layer"]
    soc_stock: Float[np.ndarray, "#draw profile layer"] | None = None
    years: Float[np.ndarray, "#draw #profile #layer time"] | None = None
    f_new: Float[np.ndarray, "#draw profile layer time"] | None = None
    obs_year: Float[np.ndarray, "#profile date"] | None = None
    delta14c: Float[np.ndarray, "#draw profile layer date"] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_layers(self.layer_top, self.layer_bottom)
        if self.f_new is not None and self.years is not None:
            check_years(self.years)
            check_share(self.f_new, self.years)
        if self.soc_stock is not None:
            check_stock(self.soc_stock, self.layer_bottom - self.layer_top)
        if self.delta14c is not None:
            check_delta14c(self.delta14c)


def check_layers(top: Float[np.ndarray, "profile layer"], bottom: Float[np.ndarray, "profile layer"]) -> None:
    """Raises BadCall for layers (cm) without thickness, overlapping, or not from the surface down."""
    thickness = bottom - top
    known = np.isfinite(thickness)
    if not known.any():
        raise BadCall("no layer has a top and a bottom: give layer_top and layer_bottom")
    if (thickness[known] <= 0).any():
        if (thickness[known] < 0).all():
            raise BadCall(
                "every layer has its bottom above its top: are layer_top and layer_bottom exchanged?"
            )
        raise BadCall("a layer has no thickness: give the top and the bottom of each layer, not its middle")
    if np.nanmin(top) < -1e-4:
        raise BadCall(
            f"layers begin at {np.nanmin(top):g} cm: depth is 0 at the top of the mineral soil and positive "
            "down; multiply by -1, or leave out organic layers"
        )
    step = top[:, 1:] - bottom[:, :-1]
    if (step < -1e-3).any():
        reversed_ = (np.nan_to_num(np.diff(top, axis=1), nan=-1.0) < 0).all()
        raise BadCall("layers run from below upwards: reverse them" if reversed_ else "layers overlap")


def check_years(years: Float[np.ndarray, "#draw #profile #layer time"]) -> None:
    """Raises BadCall for labelling times that are negative or dates.

    >>> check_years(np.array([[[[1950.0, 1990.0]]]]))
    Traceback (most recent call last):
    ...
    subsoil.errors.BadCall: labelling times 1950 to 1990: years since the label was switched on, not dates
    """
    known = years[np.isfinite(years)]
    if not known.size:
        return
    low, high = known.min(), known.max()
    if low < 0:
        raise BadCall(f"labelling times begin at {low:g} yr: they are years since the label was switched on")
    if high > low >= DATES[0] and high <= DATES[1]:
        raise BadCall(
            f"labelling times {low:g} to {high:g}: years since the label was switched on, not dates"
        )


def check_share(
    f_new: Float[np.ndarray, "#draw profile layer time"],
    years: Float[np.ndarray, "#draw #profile #layer time"],
) -> None:
    """Raises BadCall for shares in per cent, and for those that fall with time: the share of OLD carbon."""
    known = f_new[np.isfinite(f_new)]
    if not known.size:
        raise BadCall("f_new has no number: is every value filled or masked?")
    if np.median(known) > MOST:
        raise BadCall(
            f"f_new has a median of {np.median(known):g}: a share is 0 to 1; for per cent give units = '%'"
        )
    if np.median(known) < -0.5 or np.abs(known).max() > 1e3:
        raise BadCall(
            f"f_new goes from {known.min():g} to {known.max():g}: is a fill value not marked as one?"
        )
    if f_new.shape[-1] > 1:
        order = np.argsort(np.broadcast_to(years, f_new.shape), axis=-1)
        change = np.diff(np.take_along_axis(f_new, order, axis=-1), axis=-1)
        change = change[np.isfinite(change) & (np.abs(change) > FALLS)]
        if change.size and (change < 0).mean() > 0.5:
            raise BadCall("f_new falls with labelling time: is this the share of OLD carbon? Give 1 minus it")


def check_stock(
    stock: Float[np.ndarray, "#draw profile layer"], thickness: Float[np.ndarray, "profile layer"]
) -> None:
    """Raises BadCall for a negative stock, and for one summed from the surface.

    A sum is seen where the number grows with every layer of every profile, mostly per thickness too, while
    its differences per thickness mostly fall: no model has all its soils richer at every step down.
    """
    if (stock < -1e-12 * np.nanmax(np.abs(stock), initial=0.0)).any():
        raise BadCall(f"soc_stock goes down to {np.nanmin(stock):g}: a stock is not negative")
    if stock.shape[-1] < 3:
        return
    density, first = stock / thickness, stock[..., :1]
    difference = np.diff(stock, axis=-1, prepend=np.zeros_like(first)) / thickness
    rises, whole = (_rises(x) for x in (density, difference))
    grows = np.diff(stock, axis=-1)
    grows = (grows >= 0) | np.isnan(grows)
    if grows.all() and rises > MOSTLY and whole < 0.5:
        raise BadCall("soc_stock grows with every layer: is it summed from the surface? Give it a layer")


def _rises(values: np.ndarray) -> float:
    step = np.diff(values, axis=-1)
    step = step[np.isfinite(step)]
    return float((step > 0).mean()) if step.size else 0.0


def check_delta14c(delta: Float[np.ndarray, "#draw profile layer date"]) -> None:
    """Raises BadCall for 14C that is no Delta14C in per mil.

    >>> check_delta14c(np.linspace(0.7, 1.1, 12).reshape(1, 3, 4, 1))
    Traceback (most recent call last):
    ...
    subsoil.errors.BadCall: delta14c from 0.7 to 1.1: is it F14C? Give per mil, about (F14C - 1) 1000
    """
    known = delta[np.isfinite(delta)]
    if known.size < LEAST:
        return
    low, high = known.min(), known.max()
    said = f"delta14c from {low:.3g} to {high:.3g}"
    if low > 0 and high < ABSOLUTE:
        raise BadCall(f"{said}: is it the ratio 14C/C? Give per mil, (ratio / standard - 1) 1000")
    if low >= 0 and high < RATIO:
        raise BadCall(f"{said}: is it F14C? Give per mil, about (F14C - 1) 1000")
    if low >= -1.0 and ABSOLUTE < high < 1.0:
        raise BadCall(f"{said}: is it a fraction? Give per mil, 1000 times it")
    if low < -1000.0 - 1e-6:
        raise BadCall(f"{said}: nothing lies below -1000 per mil; is a fill value not marked as one?")
