"""How old the carbon at each depth is: distributions, the published regression, hierarchical models."""

from typing import Any

SIBLINGS = ("partially_pooled", "pooled", "unpooled")


def __getattr__(name: str) -> Any:
    """The three models by name, loaded at first use: they need the extra `age`."""
    if name not in SIBLINGS:
        raise AttributeError(f"module 'subsoil.age' has no attribute {name!r}")
    from subsoil.age import model

    return getattr(model, name)
