//! What a site may set for an engine. The doc comment of each field is what its users read.

use geminus_sdk::Parameters;

/// Parameters of one engine.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct EngineParameters {
    /// Expected remaining cycles below which `life-short` is raised.
    #[parameter(default = 30.0, min = 0.0, max = 125.0)]
    pub short_cycles: f64,
    /// Expected remaining cycles below which `life-ending` is raised; not above short_cycles.
    #[parameter(default = 10.0, min = 0.0, max = 125.0)]
    pub ending_cycles: f64,
}
