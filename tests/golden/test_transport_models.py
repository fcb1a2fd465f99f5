"""Models made of transport against what is printed of them, in its units, and against closed forms.

Each number stands with its paper or code.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing, site_forcing
from subsoil.models import continuum, orchidee
from subsoil.models.catalogue import MODELS
from subsoil.models.model import Fluxes, Model, operator
from subsoil.models.onepool import steady_density
from subsoil.models.transport import water_content
from subsoil.solve.blocks import solve

CM2 = 1e-4
"""1 cm2 in m2."""
DAYS = 365.25
BULK = 1300.0


def site(grid: DepthGrid, **known: float) -> Forcing:
    return site_forcing(grid, **{"mat": 12, "map_mm": 900, "p_pet": 1.2, "bulk_density": BULK, **known})


def at_rest(model: Model, grid: DepthGrid | None = None, **known: float) -> tuple[Fluxes, np.ndarray]:
    """Fluxes and steady stocks, kg m-2."""
    fluxes = model.fluxes(site(grid or model.grid, **known), grid)
    return fluxes, np.asarray(solve(operator(fluxes), -fluxes.inputs))


class TestElzeinBalesdent:
    @pytest.mark.parametrize(
        ("name", "mm_a_year", "cm2_a_year", "depth"),
        [
            ("eb_kattinkar", 0.13, 5.15, 1.65),
            ("eb_para", 0.34, 16.58, 1.95),
            ("eb_bahia", 0.48, 5.29, 1.63),
            ("eb_bezange", 0.60, 0.94, 0.52),
            ("elzein_balesdent", 0.42, 1.48, 1.00),  # Marly
        ],
    )
    def test_velocity_diffusivity_and_depth_of_the_profiles(
        self, name: str, mm_a_year: float, cm2_a_year: float, depth: float
    ) -> None:
        """Elzein & Balesdent 1995, SSSAJ 59:1328."""
        model = MODELS[name]
        assert model.values["velocity"] * 1000 == pytest.approx(mm_a_year)
        assert model.values["diffusivity"] / CM2 == pytest.approx(cm2_a_year)
        assert model.grid.bottom[-1] == pytest.approx(depth)

    def test_the_fast_pool_alone_has_the_closed_form(self) -> None:
        """With rates the same at all depths, the pool that takes the input is one pool of its own."""
        grid = DepthGrid(np.linspace(0, 1.0, 201))
        model = MODELS["eb_para"](z_efold=100.0)
        _, carbon = at_rest(model, grid, npp=0.4, above=1.0, litter_e_folding=None)
        v = model.values
        rest = (v["k_fast"], v["diffusivity"], v["velocity"])
        exact = steady_density(grid.centre, 0.4, *rest)
        shallow = grid.centre < 0.2
        np.testing.assert_allclose(carbon[shallow, 0] / grid.thickness[shallow], exact[shallow], rtol=0.02)

    def test_stocks_of_one_layer_are_those_of_a_chain(self) -> None:
        """Each pool gets a share of what the one before loses: k2 C2 = a k1 C1, k3 C3 = b k2 C2."""
        _, carbon = at_rest(MODELS["elzein_balesdent"](z_efold=100.0), DepthGrid.from_cm([0, 1e-3]), npp=0.3)
        np.testing.assert_allclose(
            carbon[0], [0.3 / 0.268, 0.05 * 0.3 / 0.0031, 0.04 * 0.05 * 0.3 / 1e-5], rtol=1e-6
        )


class TestSomprof:
    @pytest.mark.parametrize(
        ("name", "cm2_a_year", "m_a_year", "depth"),
        [("somprof", 0.6792, 0.00137, 0.7), ("somprof_loobos", 0.0852, 0.0651, 2.0)],
    )
    def test_diffusivity_and_velocity_at_hainich_and_loobos(
        self, name: str, cm2_a_year: float, m_a_year: float, depth: float
    ) -> None:
        """Braakhekke et al. 2013, BG 10:399, as tabulated by Sierra et al. 2024; D = B l / (2 rho)."""
        v = MODELS[name].values
        assert 0.5 * v["bioturbation"] * v["mixing_length"] / BULK / CM2 == pytest.approx(
            cm2_a_year, rel=1e-5
        )
        assert v["velocity"] == m_a_year
        assert MODELS[name].grid.bottom[-1] == depth

    def test_litter_lies_soil_carbon_is_mixed_and_one_pool_leaches(self) -> None:
        model = MODELS["somprof"]
        fluxes = model.fluxes(site(model.grid))
        still = model(velocity=0.0).fluxes(site(model.grid))
        assert not fluxes.down[:, 0].any()
        for pool in (2, 3, 4):
            np.testing.assert_array_equal(still.down[:, pool], still.down[:, 1])
        np.testing.assert_array_equal(fluxes.down[:, :4], still.down[:, :4])
        flows = (
            fluxes.down[:-1, 4]
            - fluxes.up[1:, 4] * np.diff(model.grid.boundaries)[1:] / model.grid.thickness[:-1]
        )
        np.testing.assert_allclose(flows * model.grid.thickness[:-1], model.values["velocity"], rtol=1e-9)

    def test_animals_even_out_the_content_of_the_soil(self) -> None:
        """In a soil that is denser below, mixing alone leaves as much carbon in each kg of it."""
        model = MODELS["somprof"]
        bulk = np.linspace(900, 1600, len(model.grid))
        fluxes = model(velocity=0.0).fluxes(site(model.grid)._replace(bulk_density=bulk))
        content = bulk * model.grid.thickness
        np.testing.assert_allclose(
            (fluxes.down[:, 3] * content)[:-1], (fluxes.up[:, 3] * content)[1:], rtol=1e-12
        )


class TestOrchidee:
    def test_turnovers(self) -> None:
        """Code of ORCHIDEE-PEAT; its deep soil has 4.699e6 s, 37 and 1617.45 times that."""
        v = MODELS["orchidee"].values
        years = [1 / v[f"k_{pool}"] for pool in ("metabolic", "structural", "active", "slow", "passive")]
        assert years == pytest.approx([0.066, 0.245, 0.149, 5.48, 241.0], rel=1e-4)
        deep = 4.699e6 / (86400 * 365)
        assert years[2:] == pytest.approx([deep, 37 * deep, 1617.45 * deep], rel=0.01)

    def test_shares_of_the_active_pool_by_texture(self) -> None:
        """Respired 0.85 - 0.68 (silt + clay), 0.004 to passive."""
        share = orchidee.shares(MODELS["orchidee"].values, jnp.array([1.0, 0.4]), 0.2)
        active = share[:, :, 2]
        assert active.sum(axis=1) == pytest.approx([0.15, 0.15 + 0.68 * 0.6])
        assert active[:, 4] == pytest.approx([0.004, 0.004])

    def test_temperature_doubles_in_ten_degrees_up_to_thirty(self) -> None:
        model, grid = MODELS["orchidee"], DepthGrid.from_cm([0, 10])

        def factor(celsius: float) -> float:
            return float(orchidee.environment(model.values, site(grid, mat=celsius, saturation=0.6), grid)[0])

        assert factor(25.0) == pytest.approx(2 * factor(15.0))
        assert factor(30.0) == pytest.approx(factor(36.0))

    @pytest.mark.parametrize(
        ("thaw", "profile"),
        [
            (0.5, {0.25: 1e-3, 0.5: 1e-3, 1.0: 0.5e-3, 1.5: 0.0, 2.5: 0.0}),
            (2.0, {1.0: 1e-3, 2.0: 1e-3, 2.5: 0.875e-3, 3.0: 0.0, 3.5: 0.0}),
            (0.0, {0.25: 0.0, 1.0: 0.0}),
            (3.5, {0.25: 1e-4, 1.5: 1e-4, 2.0: 0.0, 2.5: 0.0}),
            (np.inf, {0.25: 1e-4, 1.5: 1e-4, 2.0: 0.0, 2.5: 0.0}),
        ],
    )
    def test_mixing_by_frost_and_animals(self, thaw: float, profile: dict[float, float]) -> None:
        """1e-3 in the thawed soil, straight to 0 at three times its depth, none below 3 m; animals to 2 m."""
        grid = DepthGrid(np.arange(0, 4.3, 0.25))
        found = dict(
            zip(
                grid.boundaries[1:-1],
                orchidee.mixing(MODELS["orchidee"].values, thaw, grid)[:, 0],
                strict=True,
            )
        )
        assert {depth: float(found[depth]) for depth in profile} == pytest.approx(profile, abs=1e-15)

    @pytest.mark.parametrize("thaw", [0.0, 0.7, 3.0, np.inf])
    def test_gradients_are_finite_whatever_the_frost(self, thaw: float) -> None:
        grid = DepthGrid(np.arange(0, 4.3, 0.25))
        values = {
            name: MODELS["orchidee"].values[name] for name in ("bioturbation", "cryoturbation", "frost_reach")
        }
        slopes = jax.grad(lambda values: orchidee.mixing(values, thaw, grid).sum())(values)
        assert np.isfinite(list(slopes.values())).all()
        assert (float(slopes["cryoturbation"]) > 0) == (0 < thaw <= 3)
        assert (float(slopes["bioturbation"]) > 0) == (thaw > 3)


class TestOrchideeSom:
    model = MODELS["orchidee_som"]

    def test_eleven_layers_and_units_of_a_day(self) -> None:
        """Camino-Serrano et al. 2018, GMD 11:937; the diffusivities are unverified."""
        assert len(self.model.grid) == 11
        nodes = 2.0 * (2.0 ** np.arange(11) - 1) / (2**10 - 1)
        np.testing.assert_allclose(
            self.model.grid.boundaries[1:-1], 0.5 * (nodes[1:] + nodes[:-1]), atol=1e-6
        )
        assert self.model.values["diffusivity"] / DAYS == pytest.approx(2.74e-7, rel=2e-3)
        assert self.model.values["dissolved_diffusivity"] / DAYS == pytest.approx(1.06e-5, rel=2e-3)

    def test_dissolved_carbon(self) -> None:
        """At rest sorption holds its coefficient, and the water that leaves carries what it holds."""
        fluxes, carbon = at_rest(self.model)
        forcing = site(self.model.grid)
        theta = water_content(forcing.saturation, forcing.bulk_density)
        held = self.model.values["distribution_coefficient"] * BULK / np.asarray(theta)
        for free, adsorbed in ((5, 7), (6, 8)):
            np.testing.assert_allclose(carbon[:, adsorbed], held * carbon[:, free], rtol=1e-10)
        rain, evaporation = 0.9, 0.9 / np.sqrt(1 + 1.2**2)  # Turc and Pike
        in_water = carbon[-1, 5:7] / self.model.grid.thickness[-1] / float(theta[-1])
        np.testing.assert_allclose(
            (fluxes.leaching * carbon).sum(axis=0)[5:7], (rain - evaporation) * in_water, rtol=1e-10
        )
        assert not np.asarray(fluxes.leaching[:-1]).any()

    def test_all_that_litter_and_soil_lose_is_dissolved_first(self) -> None:
        fluxes = self.model.fluxes(site(self.model.grid))
        rate = np.asarray(fluxes.flow.sum(axis=1))
        assert (np.abs(fluxes.respiration[:, :5]) <= 1e-14 * rate[:, :5]).all()
        np.testing.assert_allclose(fluxes.flow[:, 5:7, :5].sum(axis=1), rate[:, :5], rtol=1e-14)
        efficiency = self.model.values["efficiency"]
        kept = np.asarray(fluxes.flow[:, :5, 5:7].sum(axis=1))
        np.testing.assert_allclose(
            kept, efficiency / (1 - efficiency) * fluxes.respiration[:, 5:7], rtol=1e-12
        )

    def test_a_diffusivity_that_falls_with_depth_leaves_less_carbon_below(self) -> None:
        """The remedy that Tifafi et al. 2018, GMD 11:4711, tried for soils too young at depth."""
        dry = {"map_mm": 20.0, "p_pet": 0.02, "above": 1.0, "litter_e_folding": None}
        _, even = at_rest(self.model, **dry)
        _, falling = at_rest(self.model(diffusivity_decay=3.0), **dry)
        below = self.model.grid.top > 0.7
        assert falling[below][:, 2:5].sum() < 0.8 * even[below][:, 2:5].sum()


class TestSerach:
    model = MODELS["serach"]

    def test_each_pool_has_its_velocity_and_mixing_falls_with_depth(self) -> None:
        """Serach et al. 2024, code: v 0.01, 0.00041, 0.027 m/yr; D = 4.6e-6 exp(-0.22 z) m2/yr."""
        grid = DepthGrid.from_cm(np.linspace(0, 50, 11))
        down, up = (np.asarray(rate) * 0.05 for rate in self.model.fluxes(site(grid), grid)[3:5])
        np.testing.assert_allclose(
            down[:-1] - up[1:], np.broadcast_to([0.01, 0.00041, 0.027], (10, 3))[1:], rtol=1e-12
        )
        still = self.model(velocity_rapid=0.0).fluxes(site(grid), grid)
        mixing = np.asarray(still.down)[:-1, 0] * 0.05 * 0.05
        np.testing.assert_allclose(mixing, 4.6e-6 * np.exp(-0.22 * grid.boundaries[1:-1]), rtol=1e-12)

    def test_stocks_of_one_layer(self) -> None:
        """0.6 i = (1 - 0.23 + 0.15) 0.8 C1, and so on down the chain."""
        _, carbon = at_rest(self.model, DepthGrid.from_cm([0, 50]), npp=0.5)
        rapid = 0.6 * 0.5 / ((1 - 0.23 + 0.15) * 0.8)
        slow = (0.4 * 0.5 + 0.15 * 0.8 * rapid) / ((1 - 0.19 + 0.01) * 0.1)
        stable = 0.01 * 0.1 * slow / ((1 - 0.13) * 0.003)
        np.testing.assert_allclose(carbon[0], [rapid, slow, stable], rtol=1e-12)


class TestContinuum:
    years = np.geomspace(1.0, 1e4, 41)

    def decomposed(self, *of: float, floor: float = 1e-6, steady: bool = False) -> np.ndarray:
        """1 - sum w exp(-k t): of a pulse, or of the stock at rest (weights over rates): its new share."""
        rate, weight = (np.asarray(x) for x in continuum.classes(*of, floor))
        weight = weight / rate if steady else weight
        return 1.0 - np.exp(-np.outer(self.years, rate)) @ weight / weight.sum()

    @pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 3.0])
    @pytest.mark.parametrize("spread", [0.7, 1.0, 1.5, 2.0])
    def test_lognormal_by_quadrature(self, spread: float, rate: float) -> None:
        """Forney & Rothman 2012, J. R. Soc. Interface 9:2255; in the stock ln k is spread^2 lower."""
        y = np.linspace(-10, 10, 4001)
        bell = np.exp(-0.5 * y**2) / np.exp(-0.5 * y**2).sum()
        for shift, steady in ((0.0, False), (spread**2, True)):
            k = rate * np.exp(spread * y - shift)
            exact = 1.0 - np.exp(-np.outer(self.years, k)) @ bell
            found = self.decomposed(rate, spread, 0.0, floor=0.0, steady=steady)
            assert np.abs(found - exact).max() < 1e-3

    @pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 3.0])
    @pytest.mark.parametrize("spread", [0.7, 1.0, 1.5, 2.0])
    @pytest.mark.parametrize("floor", [0.0, 1e-4])
    def test_gamma_and_power_law(self, spread: float, rate: float, floor: float) -> None:
        """F = 1 - exp(-k0 t) (1 + t / b)^-a; Boudreau & Ruddick 1991, Am. J. Sci. 291:507, without k0."""
        a = 1.0 / spread**2
        left = np.exp(-floor * self.years) * (1.0 + self.years * rate / a) ** -a
        assert np.abs(self.decomposed(rate, spread, 1.0, floor=floor) - (1.0 - left)).max() < 3e-3

    def test_new_carbon_of_a_gamma_at_rest(self) -> None:
        """Its stock is a gamma with a - 1, so that f_new = 1 - (1 + t / b)^(1 - a)."""
        a, b = 2.0, 20.0
        found = self.decomposed(a / b, a**-0.5, 1.0, floor=0.0, steady=True)
        assert np.abs(found - (1.0 - (1.0 + self.years / b) ** (1.0 - a))).max() < 2e-3

    def test_the_three_models_are_members_of_the_family(self) -> None:
        v = {name: MODELS[name].values for name in ("lognormal", "gamma", "power_law")}
        assert [x["tilt"] for x in v.values()] == [0.0, 1.0, 1.0]
        a = v["gamma"]["spread"] ** -2
        assert (a, a / v["gamma"]["rate"]) == pytest.approx((1.5, 5.0), rel=1e-5)
        assert (v["power_law"]["spread"] ** -2, 1 / v["power_law"]["floor"]) == pytest.approx((1.0, 1e4))

    def test_between_the_families_the_weights_turn_smoothly(self) -> None:
        """The series of phi near 0 joins its closed form, and its derivative: tilt 0 is not a corner."""

        def mean(tilt: float) -> jax.Array:
            rate, weight = continuum.classes(0.3, 1.2, tilt)
            return jnp.sum(weight * jnp.log(rate))

        for tilt in (0.0, 0.004, 0.03, 1.0):
            step = 1e-5
            difference = float(mean(tilt + step) - mean(tilt - step)) / (2 * step)
            assert float(jax.grad(mean)(tilt)) == pytest.approx(difference, rel=1e-6)

    def test_classes_do_not_exchange_and_share_one_profile_of_input(self) -> None:
        model = MODELS["power_law"]
        fluxes = model.fluxes(site(model.grid, npp=0.4))
        assert not np.asarray(fluxes.flow).any()
        share = np.asarray(fluxes.inputs / fluxes.inputs.sum(axis=1, keepdims=True))
        np.testing.assert_allclose(share, share[:1].repeat(len(model.grid), axis=0), rtol=1e-12)
        assert float(fluxes.inputs.sum()) == pytest.approx(0.4)
