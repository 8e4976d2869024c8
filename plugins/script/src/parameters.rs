//! What a site may set: the script. The doc comment of the field is what its users read.

use geminus_sdk::Parameters;

/// Longest script, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 8_192;

/// The rule of a twin.
#[derive(Clone, Debug, Parameters)]
pub struct ScriptParameters {
    /// The rule, in Rhai. It reads inputs by their names (() where there is no value) and elapsed, assigns health, x, y and z,
    /// keeps numbers in state and says alert_low, alert or alert_high. By default numbers are passed on.
    #[parameter(
        default = "x = number_1;\ny = number_2;\nz = number_3;\nif number_4 != () { health = clamp(number_4, 0, 1); }\n"
    )]
    pub script: String,
}
