"""Make the poles of `subsoil.solve.exponential`: python scripts/poles.py > src/subsoil/solve/poles.toml

Set-valued AAA (Nakatsukasa, Sète & Trefethen 2018, SIAM J. Sci. Comput. 40:A1494; Lietaert et al. 2022,
IMA J. Numer. Anal. 42:1087): rational functions with one common denominator for exp(-x t) at many t at
once, on both edges of a sector around the positive axis, support points in conjugate pairs so that the poles
are too.
What is kept are the poles; the weights of any t follow by least squares where they are used.
"""

import numpy as np
from scipy.linalg import eigvals

SETS = {"standard": (3000.0, 0.6, 29), "fine": (300.0, 0.7, 32), "single": (1.0, 0.7, 7)}
"""Longest over shortest time; half angle of the sector, radians; steps of the algorithm.

The sector is wider than any spectrum (strongly cycling pools turn eigenvalues by some 0.3): columns that
mix little and hold next to nothing at depth are far from normal, and for them the sector counts, not the
spectrum.
Of 18 to 37 steps tried, those of the least error (`subsoil.solve.exponential.Poles.error` measures it)."""


def common_poles(ratio: float, angle: float, steps: int) -> np.ndarray:
    """Poles in the upper half plane, of the variable z = -x."""
    times = np.geomspace(1.0, ratio, 24)
    x = np.logspace(np.log10(1.0 / ratio) - 5.0, 3.0, 500)
    z = np.concatenate([x * np.exp(1j * angle), x * np.exp(-1j * angle)])
    values = np.exp(-np.outer(z, times))
    half, free = len(x), np.ones(len(z), bool)
    support: list[int] = []
    model = np.tile(values.mean(axis=0), (len(z), 1))
    for _ in range(steps):
        worst = int(np.argmax((np.abs(values - model).max(axis=1) * free)[:half]))
        support += [worst, worst + half]
        free[[worst, worst + half]] = False
        cauchy = 1.0 / (z[free][:, None] - z[support][None])
        loewner = np.vstack(
            [(values[free, v][:, None] - values[support, v][None]) * cauchy for v in range(24)]
        )
        to_complex = np.kron(np.eye(len(support) // 2), np.array([[1, 1j], [1, -1j]]))
        columns = loewner @ to_complex
        triangle = np.linalg.qr(np.vstack([columns.real, columns.imag]), mode="r")
        weight = to_complex @ np.linalg.svd(triangle)[2][-1]
        model = values.copy()
        model[free] = (cauchy @ (weight[:, None] * values[support])) / (cauchy @ weight)[:, None]
    n = len(support)
    left, right = np.zeros((n + 1, n + 1), complex), np.eye(n + 1, dtype=complex)
    left[0, 1:], left[1:, 0], left[1:, 1:], right[0, 0] = weight, 1.0, np.diag(z[support]), 0.0
    poles = -eigvals(left, right)
    poles = poles[np.isfinite(poles) & (np.abs(poles) < 1e12)]
    poles = poles[poles.imag >= -1e-10 * np.abs(poles)]
    poles = poles[np.abs(np.angle(-poles)) > angle + 0.2]  # among the spectrum: spurious, of no residue
    # A real pole leaves the axis a little: both parts of its term then have weights of ordinary size.
    poles = poles.real + 1j * np.maximum(poles.imag, 2e-4 * np.abs(poles))
    return poles[np.argsort(np.abs(poles))]


def main() -> None:
    print("# Poles of rational approximations to exp(t A), t in [1, ratio], by scripts/poles.py.")
    print("# Times in units of the first one; real and imaginary parts, upper half plane.")
    for name, (ratio, angle, steps) in SETS.items():
        poles = common_poles(ratio, angle, steps)
        print(f"\n[{name}]\nratio = {ratio}\nangle = {angle}")
        for part in ("real", "imag"):
            print(f"{part} = [")
            for value in getattr(poles, part):
                print(f"  {value:.17g},")
            print("]")


if __name__ == "__main__":
    main()
