"""Every rule that validation knows: name, severity, what it means and what to do.

The text of a rule follows what is wrong with the row and ends with the remedy. Limits that are
choices stand here, with their reason.
"""

from subsoil.archive.readers.cells import Rule

MIN_CONTRAST = 4.0
"""Smallest useful size of δ13C_veg - δ13C_veg,ref, per mil: with an error of 1 per mil the first-order error
of f holds up to a quarter of the contrast; the smallest of the 2018 workbook is 4.8."""

NO_CONTRAST = 1.0
"""Below this the contrast is smaller than its own error and f has no meaning."""

SOIL_13C = (-35.0, -10.0)
"""δ13C of soil organic carbon, per mil: closed canopies and labelled CO2 below, pure C4 above. Values above
-10 in the radiocarbon database were carbonate or errors."""

MODERN_TOLERANCE = 20.0
"""Largest difference between Δ14C and the one that F14C and the sampling year give, per mil."""

SAME_VALUE = 1e-3
"""An error that equals its value within this is no error; per mil for Δ14C as in the radiocarbon database."""

MAX_CARBON_DENSITY = 0.15
"""g C cm-3: dense peat holds 0.1, mineral soil at most 0.06."""

MIN_MINERAL_DENSITY, MAX_MINERAL_CARBON = 1.0, 12.0
"""A soil denser than 1 g cm-3 is mineral and holds less than 12 % carbon (organic matter mixes by volume)."""

STOCK_RATIO = (0.2, 3.0)
"""Stock over content x density x thickness. Stones lower it, nothing raises it much."""

LAST_LAYER, LAST_BOTTOM = 10.0, 200.0
"""cm: a last layer without bottom is taken as 10 cm thick, down to 200 cm at most (as R's aqp does)."""

METRES_TO, MILLIMETRES_FROM = 3.0, 300.0
"""cm: a profile of several layers that ends above 3 was typed in m; one below 300 may be in mm."""

_TABLE = """
missing-key | error | a key is missing: name entry, site, profile and layer in every row
missing-required | warning | a required value is missing; the row is kept: fill it in if the source gives it
vocabulary | warning | not a word of this column; kept, but no analysis will know it: use one of the words
infinite | warning | infinite; the value is not used: give a number or leave the cell empty
out-of-bounds | warning | no soil has that; the value is not used: check the typing and the unit
place-out-of-bounds | error | a row without a possible place, date or depth cannot be used: check it
computed-value | warning | was computed from a value that is not used; it is not used either
error-not-positive | warning | an error is above 0; it counts as missing: leave the cell empty if unknown
error-is-value | warning | the error repeats the value it belongs to; it counts as missing: give the error
carbon-unit | warning | looks like g/kg; check the column and divide it by 10
density-unit | warning | looks like kg m-3; the value is not used: divide the column by 1000
temperature-unit | warning | looks like kelvin or tenths of a degree; the value is not used: give degC
stock-unit | warning | looks like kg m-2 or Mg ha-1; the value is not used: give g cm-2 (divide by 10 or 100)
stock-density | warning | more carbon than a soil can hold; kept: it may be kg m-2, then divide by 10
stock-content | warning | stock, content, density and thickness do not fit; kept: one of them has another unit
modern-unit | warning | looks like percent modern; the value is not used: divide by 100
13c-sign | warning | the minus sign is missing; the value is not used: δ13C of soil is negative
13c-range | warning | unusual for soil organic carbon, perhaps carbonate or a label; kept: check the sample
14c-modern | warning | Δ14C and F14C do not fit each other; both are kept: check year and typing
depth-unit-m | error | the depths look like m; the rows are not used: multiply by 100
depth-unit-mm | warning | the depths may be mm; kept as cm: divide by 10 if they are
missing-depth | error | top or bottom is missing and cannot be told from the neighbours: fill it in
bottom-repaired | warning | bottom missing: taken from the next top, or 10 cm below the top of the last layer
datum-repaired | warning | organic layer counted upwards (as 5-0): turned into depths above the mineral soil
middle-repaired | warning | depth of the sample: taken as the middle of the repaired layer
depth-logic | error | bottom lies above top: exchange them, or count organic layers as negative depths
same-depth | warning | top equals bottom; kept, but a layer without thickness has no stock: check the depths
overlap | error | overlaps another layer of the profile in part; neither is used: which one is right?
gap | note | nothing was sampled between this layer and the one above
duplicate-row | error | the same row stands there twice; one is used: delete the other
duplicate-key | error | the same key stands for different contents; none is used: give each its own name
layer-name-twice | warning | two layers of the profile have this name; both are kept: give each its own name
duplicate-place | warning | another entry has the same place, depth and isotopes; kept: is it the same sample?
duplicate-coordinates | note | another site of the entry has the same coordinates: is it the same site?
orphan | error | no row of the table above has its key, or that row is not used: add or mend it
reference-missing | warning | no such profile in the same entry and site; kept: add it or mend its name
reference-depth | warning | deeper than the reference profile; kept: its δ13C there is a guess
small-contrast | warning | the plants differ by less than 4 permil; kept: f is very uncertain
no-contrast | warning | the plants do not differ; the value is not used: there is no f
contrast-sign | warning | the sign does not fit the direction of the change of plants; kept: now minus before
"""

RULES: dict[str, Rule] = {
    rule.name: rule for rule in (Rule(*line.split(" | ")) for line in _TABLE.strip().splitlines())
}
