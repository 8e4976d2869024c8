//! What may be bound to a script: inputs that are named by their unit, so that a number in a script is never in doubt. The
//! host converts each point to the unit of its input and refuses a point that cannot be converted.

use geminus_sdk::prelude::*;

/// Inputs of a script. All are optional; what is not bound, or has no usable value in a row, is `()` there.
#[derive(Clone, Copy, Debug, Default, Inputs)]
pub struct Measured {
    /// A temperature; the first of 4.
    #[input(unit = "Cel", optional)]
    pub celsius_1: Reading,
    /// A temperature; the second of 4.
    #[input(unit = "Cel", optional)]
    pub celsius_2: Reading,
    /// A temperature; the third of 4.
    #[input(unit = "Cel", optional)]
    pub celsius_3: Reading,
    /// A temperature; the fourth of 4.
    #[input(unit = "Cel", optional)]
    pub celsius_4: Reading,
    /// A pressure; the first of 2.
    #[input(unit = "bar", optional)]
    pub bar_1: Reading,
    /// A pressure; the second of 2.
    #[input(unit = "bar", optional)]
    pub bar_2: Reading,
    /// A current; the first of 2.
    #[input(unit = "A", optional)]
    pub ampere_1: Reading,
    /// A current; the second of 2.
    #[input(unit = "A", optional)]
    pub ampere_2: Reading,
    /// A voltage; the first of 2.
    #[input(unit = "V", optional)]
    pub volt_1: Reading,
    /// A voltage; the second of 2.
    #[input(unit = "V", optional)]
    pub volt_2: Reading,
    /// A power; the first of 2.
    #[input(unit = "kW", optional)]
    pub kilowatt_1: Reading,
    /// A power; the second of 2.
    #[input(unit = "kW", optional)]
    pub kilowatt_2: Reading,
    /// A frequency or a speed of rotation; the first of 2.
    #[input(unit = "Hz", optional)]
    pub hertz_1: Reading,
    /// A frequency or a speed of rotation; the second of 2.
    #[input(unit = "Hz", optional)]
    pub hertz_2: Reading,
    /// A volume flow; the first of 2.
    #[input(unit = "L/min", optional)]
    pub litre_per_minute_1: Reading,
    /// A volume flow; the second of 2.
    #[input(unit = "L/min", optional)]
    pub litre_per_minute_2: Reading,
    /// A length or a level; the first of 2.
    #[input(unit = "m", optional)]
    pub metre_1: Reading,
    /// A length or a level; the second of 2.
    #[input(unit = "m", optional)]
    pub metre_2: Reading,
    /// A velocity, of vibration say; the first of 2.
    #[input(unit = "mm/s", optional)]
    pub millimetre_per_second_1: Reading,
    /// A velocity, of vibration say; the second of 2.
    #[input(unit = "mm/s", optional)]
    pub millimetre_per_second_2: Reading,
    /// An acceleration, of vibration say; the first of 2.
    #[input(unit = "[g]", optional)]
    pub g_1: Reading,
    /// An acceleration, of vibration say; the second of 2.
    #[input(unit = "[g]", optional)]
    pub g_2: Reading,
    /// A share; the first of 2.
    #[input(unit = "%", optional)]
    pub percent_1: Reading,
    /// A share; the second of 2.
    #[input(unit = "%", optional)]
    pub percent_2: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the first of 8.
    #[input(unit = "1", optional)]
    pub number_1: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the second of 8.
    #[input(unit = "1", optional)]
    pub number_2: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the third of 8.
    #[input(unit = "1", optional)]
    pub number_3: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the fourth of 8.
    #[input(unit = "1", optional)]
    pub number_4: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the fifth of 8.
    #[input(unit = "1", optional)]
    pub number_5: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the sixth of 8.
    #[input(unit = "1", optional)]
    pub number_6: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the seventh of 8.
    #[input(unit = "1", optional)]
    pub number_7: Reading,
    /// A number without unit: counts, indices, what other behaviors judge; the eighth of 8.
    #[input(unit = "1", optional)]
    pub number_8: Reading,
}

impl Measured {
    /// Every input in declared order.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Reading> {
        let (values, quality) = self.cells();
        values.into_iter().zip(quality).map(|(value, quality)| Reading::from_cell(value, quality))
    }
}
