"""How old the carbon is at each depth: distributions, the published regression, models that learn from more."""
