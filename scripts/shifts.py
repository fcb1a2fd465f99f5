"""Find the shifts of `subsoil.solve.exponential.SETS`: python scripts/shifts.py RATIO COUNTxSTEPS ...

Shifts are evenly spaced in their logarithm, so that two numbers are sought, the first and the last: those of
the least error over the sector, by Nelder and Mead's search (1965, Comput. J. 7:308). Prints them with the
error on the axis, at 0.6 radians and at the sector's edge, and the work of a column of seven pools (an
elimination weighs as much as a link and a half).
"""

import sys

import numpy as np
from scipy.optimize import minimize

from subsoil.solve.exponential import SECTOR, Shifts

LINKS_AN_ELIMINATION = 1.5
STARTS = ((3.0, 25.0), (3.6, 60.0))
"""First times ratio, and last."""


def find(ratio: float, count: int, steps: int) -> Shifts:
    """The shifts of least error, of these counts."""
    times = np.geomspace(1.0, ratio, 30) if ratio > 1.0 else np.array([1.0])

    def made(q: np.ndarray) -> Shifts:
        first, last = np.exp(q) if count > 1 else np.exp(q[[0, 0]])
        return Shifts(float(first / ratio), float(last / ratio if count == 1 else last), count, steps, ratio)

    def loss(q: np.ndarray) -> float:
        return float(np.log(made(q).error(times, SECTOR)))

    options = {"maxiter": 45, "xatol": 0.02, "fatol": 0.02}
    starts = STARTS if count > 1 else ((15.0, 15.0), (22.0, 22.0))
    found = [minimize(loss, np.log(start), method="Nelder-Mead", options=options) for start in starts]
    return made(min(found, key=lambda one: one.fun).x)


def main() -> None:
    ratio = float(sys.argv[1])
    for text in sys.argv[2:]:
        count, steps = map(int, text.split("x"))
        best = find(ratio, count, steps)
        times = np.unique(np.append(np.geomspace(1.0, ratio, 60), ratio))
        errors = ", ".join(f"{best.error(times, angle):.1e}" for angle in (0.0, 0.6, SECTOR))
        work = count * (LINKS_AN_ELIMINATION + steps)
        print(f"{best}: error {errors}; work {work:g}", flush=True)


if __name__ == "__main__":
    main()
