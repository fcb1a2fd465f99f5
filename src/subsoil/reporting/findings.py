"""Findings on the data for a person: one line for each rule, the severest first."""

import pandas as pd

SEVERITIES = ("error", "warning", "note")
EXAMPLES = 5  # rows named for each rule


def by_rule(rejects: pd.DataFrame) -> pd.DataFrame:
    """Columns severity, rule, rows (how many), where (sheet and row of the first) and message (of the first).

    >>> one = {"file": "a.csv", "sheet": "layer", "column": "z", "value": "", "message": "m"}
    >>> table = pd.DataFrame([one | {"row": r, "rule": "gap", "severity": "note"} for r in (4, 7)])
    >>> by_rule(table).to_csv(index=False)
    'severity,rule,rows,where,message\\nnote,gap,2,"layer 4, 7",m\\n'
    """
    order = rejects["severity"].map({name: place for place, name in enumerate(SEVERITIES)})
    grouped = rejects.assign(order=order.fillna(len(SEVERITIES))).groupby(["order", "severity", "rule"])
    lines = [
        (severity, rule, len(rows), _where(rows), rows["message"].iloc[0])
        for (_, severity, rule), rows in grouped
    ]
    return pd.DataFrame(lines, columns=["severity", "rule", "rows", "where", "message"])


def _where(rows: pd.DataFrame) -> str:
    """The first few places: each sheet, or file where it has none, with its rows."""
    first = rows.head(EXAMPLES)
    sheets = first["sheet"].where(first["sheet"].fillna("") != "", first["file"]).fillna("").astype(str)
    parts = [
        f"{sheet} {', '.join(str(row) for row in first.loc[sheets == sheet, 'row'])}".strip()
        for sheet in dict.fromkeys(sheets)
    ]
    more = f" and {len(rows) - EXAMPLES} more" if len(rows) > EXAMPLES else ""
    return "; ".join(parts) + more
