"""What a number that describes a site may be, and what usually is wrong when it is not.

Numbers are checked, traced values pass, so that what is built of them runs under jit, vmap and grad.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from subsoil.errors import BadCall

jax.config.update("jax_enable_x64", True)  # as the solvers do: a forcing made before them is not rounded


class Bound(NamedTuple):
    """What a number may be, and what usually is wrong when it is not; ``besides`` is allowed too."""

    lower: float
    upper: float
    unit: str
    fix: str
    besides: float = np.nan


_PER_CENT = "per cent / 100 is a fraction"
BOUNDS = {
    "mat": Bound(-30, 40, "degree C", "kelvin - 273.15 is degree C"),
    "map_mm": Bound(15, 15000, "mm yr-1", "m x 1000 is mm; a drier desert counts as 15"),
    "pet_mm": Bound(15, 4000, "mm yr-1", "m x 1000 is mm"),
    "p_pet": Bound(
        0.005, 20, "", "P/PET is large where it is humid; 1 / (PET/P) turns an aridity index over"
    ),
    "clay": Bound(0, 1, "", _PER_CENT),
    "sand": Bound(0, 1, "", _PER_CENT),
    "bulk_density": Bound(10, 2800, "kg m-3", "g cm-3 x 1000 is kg m-3"),
    "ph": Bound(1, 12, "", "pH is measured in water"),
    "saturation": Bound(0, 1, "", f"{_PER_CENT}; volumetric water / porosity is a saturation"),
    "oxygen": Bound(0, 1, "", _PER_CENT),
    "npp": Bound(0, 5, "kg C m-2 yr-1", "g m-2 / 1000, or t ha-1 / 10, is kg m-2"),
    "above": Bound(0, 1, "", _PER_CENT),
    "wood": Bound(0, 1, "", _PER_CENT),
    "lignin": Bound(0, 1, "", _PER_CENT),
    "lignin_to_nitrogen": Bound(0, 300, "g g-1", "lignin and nitrogen are shares of the same dry mass"),
    "cover": Bound(0, 1, "", "1 is under plants, 0 is bare"),
    "moisture_deficit": Bound(-500, 0, "mm", "a deficit is negative"),
    "thaw_depth": Bound(0, 20, "m", "cm / 100 is m; without frost in summer it is infinite", np.inf),
    "beta": Bound(0.5, 0.9999, "", "beta is of a depth in cm, near 0.97"),
    "e_folding": Bound(0.001, 100, "m", "cm / 100 is m"),
    "litter_e_folding": Bound(0.001, 100, "m", "cm / 100 is m"),
    "amplitude": Bound(0, 40, "degree C", "it is half of warmest less coldest"),
    "warmest_month": Bound(1, 12, "", "January is 1"),
    "thermal_diffusivity": Bound(1, 60, "m2 yr-1", "m2 s-1 x 3.156e7 is m2 yr-1"),
}
"""By argument. A quantity with a column in ``variables.toml`` has its bounds, in the units of the core, less
values that only a mistake of units gives."""


MONTHLY = {
    "rain_mm": Bound(0, 3000, "mm a month", "rain is not negative"),
    "pet_mm": Bound(0, 600, "mm a month", "evaporation is not negative"),
    "cover": BOUNDS["cover"],
}
"""By argument that has a value for each month."""


def known(*values: object) -> bool:
    """Whether all are numbers now, not traced."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def checked(name: str, value: ArrayLike, bounds: Mapping[str, Bound] = BOUNDS) -> Array:
    """The value as an array; raises BadCall with name, bound, value and usual fix for a number out of bounds.

    >>> float(checked("mat", 9.5))
    9.5
    """
    if known(value):
        lower, upper, unit, fix, besides = bounds[name]
        try:
            number = np.asarray(value, dtype=float)
        except (TypeError, ValueError) as wrong:
            raise BadCall(
                f"{name} is a number or an array of numbers, {unit or 'no unit'}, got {value!r}"
            ) from wrong
        bad = ~((number >= lower) & (number <= upper) | (number == besides))
        if bad.any():
            raise BadCall(
                f"{name} lies between {lower:g} and {upper:g} {unit}, got {number[bad][0]:g}: {fix}"
            )
    return jnp.asarray(value, dtype=float)
