"""Numbers as a person reads them: three digits, a true minus sign, the unit, the interval."""

import math

NOTHING = "–"
SHARES = ("1", "fraction")  # units of a number that is printed as a percentage
NAMES = {
    "percent": "%",
    "percentage points": "pp",
    "years": "yr",
    "year": "yr",
    "kg m-2": "kg m⁻²",
    "kg C m-2": "kg C m⁻²",
    "count": "",
    "ratio": "",
}


def number(value: float, digits: int = 3) -> str:
    """The value with `digits` significant digits and no exponent below a million.

    >>> number(0.04719), number(-0.5), number(1249.6), number(float("nan")), number(float("inf"))
    ('0.0472', '−0.5', '1250', '–', '∞')
    """
    if not math.isfinite(value):
        return NOTHING if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    if abs(value) >= 1e6 or places > 6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    text = f"{value:.{places}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def printed_unit(unit: str) -> str:
    """The unit as printed: `percent of ...` becomes %, a bare fraction too.

    >>> printed_unit("fraction"), printed_unit("years"), printed_unit("percent of the 0-100 cm SOC")
    ('%', 'yr', '%')
    """
    if unit in SHARES or unit.startswith("percent of"):
        return "%"
    return NAMES.get(unit, unit)


def scale(unit: str) -> float:
    """Factor from the stated unit to the printed one: 100 for a bare fraction."""
    return 100.0 if unit in SHARES else 1.0


def quantity(value: float, unit: str) -> str:
    """Number and unit.

    >>> quantity(0.472, "fraction"), quantity(10.21, "cm")
    ('47.2 %', '10.2 cm')
    """
    text = number(value * scale(unit))
    return text if text == NOTHING else f"{text} {printed_unit(unit)}".strip()


def interval(lower: float, upper: float, unit: str = "-") -> str:
    """Both ends, without the unit; empty where there is no interval.

    >>> interval(0.19, 0.251, "fraction"), interval(-1.5, 2.0)
    ('19 to 25.1', '−1.5 to 2')
    """
    if math.isnan(lower) or math.isnan(upper):
        return ""
    factor = scale(unit)
    return f"{number(lower * factor)} to {number(upper * factor)}"


def effect(unit: str) -> tuple[float, str, str]:
    """What the unit of a regression coefficient says: factor, printed unit, and what it is per.

    >>> effect("fraction, per degC"), effect("ratio")
    ((100.0, 'pp', 'per °C'), (1.0, 'ratio', ''))
    """
    kind, _, per = unit.partition(", ")
    for written, printed in (("degC", "°C"), ("mm yr-1", "mm yr⁻¹")):
        per = per.replace(written, printed)
    return scale(kind), "pp" if kind in SHARES else kind, per


def joined(parts: list[str]) -> str:
    """Parts of a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
