"""Numbers of nature and of convention, each with its unit and source."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from numpy.typing import ArrayLike

Numbers: TypeAlias = ArrayLike | float | int | Sequence[Any]
"""What functions take as one number or many: also where annotations are executed, plain floats count."""

RADIOCARBON_DECAY: Final = 1.0 / 8267.0
"""Decay constant of 14C, 1/yr: half-life 5730 yr (Godwin 1962, Nature 195:984). For decay, not for an age."""

LIBBY_MEAN_LIFE: Final = 8033.0
"""Mean life behind a conventional 14C age, yr: half-life 5568 yr (Stuiver & Polach 1977)."""

RADIOCARBON_BASE_YEAR: Final = 1950.0
"""Calendar year that "before present" and the modern standard refer to (Stuiver & Polach 1977)."""

R_PDB: Final = 0.0112372
"""13C/12C of the PDB standard (Craig 1957, Geochim. Cosmochim. Acta 12:133), as land models code it."""

R_VPDB: Final = 0.011180
"""13C/12C of VPDB (Zhang, Li & Xu 1990; IUPAC 2010, Brand et al., Pure Appl. Chem. 82:1719). Differences of
delta and fractions of new carbon do not depend on the choice."""

DAYS_PER_YEAR: Final = 365.25
"""Julian year, d."""

CM_PER_M: Final = 100.0
"""Tables speak centimetres, the core metres."""
