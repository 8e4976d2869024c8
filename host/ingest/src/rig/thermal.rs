//! Heat in the motor: winding and bearing inside, surface between them and the air, all joined by
//! conductances. Integrated by the classical Runge–Kutta method in fixed steps.

/// Conductances in W/K.
const WINDING_SURFACE: f64 = 4.0;
const WINDING_BEARING: f64 = 0.5;
const BEARING_SURFACE: f64 = 1.5;
const SURFACE_AMBIENT: f64 = 0.8;
/// Time constants in s of each body while its neighbours keep their temperature.
const SURFACE_S: f64 = 120.0;
const WINDING_S: f64 = 60.0;
const BEARING_S: f64 = 180.0;
/// Heat capacities in J/K: time constant × sum of the body's conductances.
const SURFACE_J: f64 = SURFACE_S * (WINDING_SURFACE + BEARING_SURFACE + SURFACE_AMBIENT);
const WINDING_J: f64 = WINDING_S * (WINDING_SURFACE + WINDING_BEARING);
const BEARING_J: f64 = BEARING_S * (WINDING_BEARING + BEARING_SURFACE);
/// Friction in the bearing, W.
const FRICTION: f64 = 5.0;

/// Temperatures of the motor in °C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperatures {
    /// Of the housing, which a sensor sees.
    pub surface: f64,
    /// Of the winding, which none sees.
    pub winding: f64,
    /// Of the bearing, which none sees.
    pub bearing: f64,
    /// Of the air around, which a sensor sees.
    pub ambient: f64,
}

impl Temperatures {
    /// Where everything comes to rest under `load` W.
    pub(super) fn settled(ambient: f64, load: f64) -> Self {
        let surface = ambient + (load + FRICTION) / SURFACE_AMBIENT;
        // Two balances for the two bodies inside, solved by Cramer's rule for their excess over the surface.
        let (a, b, c) =
            (WINDING_SURFACE + WINDING_BEARING, WINDING_BEARING, WINDING_BEARING + BEARING_SURFACE);
        let determinant = a * c - b * b;
        let winding = surface + (load * c + FRICTION * b) / determinant;
        let bearing = surface + (FRICTION * a + load * b) / determinant;
        Self { surface, winding, bearing, ambient }
    }

    /// `dt` seconds on under `load` W.
    pub(super) fn step(&mut self, load: f64, dt: f64) {
        let first = self.rates(load);
        let second = self.moved(first, dt / 2.0).rates(load);
        let third = self.moved(second, dt / 2.0).rates(load);
        let fourth = self.moved(third, dt).rates(load);
        let mut mean = [0.0; 3];
        for ((((mean, a), b), c), d) in mean.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
            *mean = (a + 2.0 * b + 2.0 * c + d) / 6.0;
        }
        *self = self.moved(mean, dt);
    }

    /// K/s of surface, winding and bearing.
    fn rates(&self, load: f64) -> [f64; 3] {
        let winding_surface = WINDING_SURFACE * (self.winding - self.surface);
        let winding_bearing = WINDING_BEARING * (self.winding - self.bearing);
        let bearing_surface = BEARING_SURFACE * (self.bearing - self.surface);
        let surface_ambient = SURFACE_AMBIENT * (self.surface - self.ambient);
        [
            (winding_surface + bearing_surface - surface_ambient) / SURFACE_J,
            (load - winding_surface - winding_bearing) / WINDING_J,
            (FRICTION + winding_bearing - bearing_surface) / BEARING_J,
        ]
    }

    fn moved(&self, [surface, winding, bearing]: [f64; 3], dt: f64) -> Self {
        Self {
            surface: self.surface + surface * dt,
            winding: self.winding + winding * dt,
            bearing: self.bearing + bearing * dt,
            ambient: self.ambient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_rest_nothing_moves_and_the_rest_is_reached_from_anywhere() {
        let rest = Temperatures::settled(25.0, 40.0);
        for rate in rest.rates(40.0) {
            assert!(rate.abs() < 1e-12, "{rate}");
        }
        let mut cold = Temperatures { surface: 25.0, winding: 25.0, bearing: 25.0, ambient: 25.0 };
        for _ in 0..400_000 {
            cold.step(40.0, 0.1);
        }
        for (reached, expect) in
            [(cold.surface, rest.surface), (cold.winding, rest.winding), (cold.bearing, rest.bearing)]
        {
            assert!((reached - expect).abs() < 1e-6, "{reached} of {expect}");
        }
    }

    #[test]
    fn ten_small_steps_equal_one_large_one_to_the_order_of_the_method() {
        let mut once = Temperatures::settled(25.0, 10.0);
        let mut often = once;
        once.step(60.0, 1.0);
        for _ in 0..10 {
            often.step(60.0, 0.1);
        }
        assert!((once.winding - often.winding).abs() < 1e-8, "{} {}", once.winding, often.winding);
    }
}
