"""Climate, texture and litter of one soil column, layer by layer: all that a model may look at.

A field of a steady forcing has the shape below; a seasonal one has a leading axis of 12 months on every
field (`seasonal`). Models get one month at a time and never see the axis.
"""

from typing import NamedTuple

from jaxtyping import Array, Float


class Forcing(NamedTuple):
    """One column. Depth profiles are [layer]; the rest are numbers.

    temperature: soil, degree C. saturation: water over pore volume, 0-1. oxygen: availability, 0-1 (1: no
    lack). clay, sand: mass fraction of the fine earth. bulk_density: kg m-3. ph: in water.
    precipitation, potential_evaporation: m yr-1 (of the month, at yearly rate). moisture_deficit: accumulated
    topsoil deficit of RothC, mm over 23 cm, 0 or negative. thaw_depth: greatest depth of thaw, m, infinite
    without frost in summer.
    litter, roots: carbon from above and below ground, kg C m-2 yr-1. litter_share, root_share: where it
    enters, sums to 1. wood: share of litter that is wood. lignin: mass fraction of litter.
    lignin_to_nitrogen: of litter, g/g. cover: 1 under plants, 0 bare.
    """

    temperature: Float[Array, " layer"]
    saturation: Float[Array, " layer"]
    oxygen: Float[Array, " layer"]
    clay: Float[Array, " layer"]
    sand: Float[Array, " layer"]
    bulk_density: Float[Array, " layer"]
    ph: Float[Array, " layer"]
    precipitation: Float[Array, ""]
    potential_evaporation: Float[Array, ""]
    moisture_deficit: Float[Array, ""]
    thaw_depth: Float[Array, ""]
    litter: Float[Array, ""]
    roots: Float[Array, ""]
    litter_share: Float[Array, " layer"]
    root_share: Float[Array, " layer"]
    wood: Float[Array, ""]
    lignin: Float[Array, ""]
    lignin_to_nitrogen: Float[Array, ""]
    cover: Float[Array, ""]
