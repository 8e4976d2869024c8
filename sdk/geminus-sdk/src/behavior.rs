//! What an author writes: the trait of a behavior and the shapes of its calls.

use crate::{Alerts, Commands, Fault, Inputs, Outputs, Parameters, Row, State, Timestamp};

/// What a plugin does for one twin. `Self` holds what is prepared once from the parameters and never changes;
/// `State` holds what changes from row to row and is carried from version to version.
///
/// Write it under `#[estimator]`, `#[surrogate]`, `#[health_rule]` or `#[command_policy]`. The attribute reads the
/// associated types from the signatures of `step` and `open` where they are not written out:
/// `fn step(&self, state: &mut STATE, row: &mut Row<INPUTS, ALERTS, COMMANDS>) -> Result<OUTPUTS, Fault>`.
/// Without `open`, the behavior is its own parameters; without `start`, the state starts as its default.
pub trait Behavior: Sized + 'static {
    /// One row in.
    type Inputs: Inputs;
    /// One row out: the outputs themselves when a step cannot fail, else `Result<outputs, Fault>`.
    type Answer: Answer;
    /// What a site sets.
    type Parameters: Parameters;
    /// What is remembered from row to row; `()` for nothing.
    type State: State;
    /// What it may raise.
    type Alerts: Alerts;
    /// What it may propose.
    type Commands: Commands;
    /// The JSON document of the section `geminus:declaration`; written by the attribute.
    const DECLARATION: &'static str;
    /// Whether `forecast` is written; set by the attribute.
    const FORECAST: bool;

    /// Prepares a twin's slot.
    ///
    /// # Errors
    /// `Fault::parameter` when parameters contradict each other or make no working model.
    fn open(parameters: Self::Parameters, opening: &Opening<'_>) -> Result<Self, Fault>;

    /// The state before the first row.
    fn start(&self) -> Self::State;

    /// Takes one row. On a fault every slot of the call is put back to where it was.
    fn step(
        &self,
        state: &mut Self::State,
        row: &mut Row<'_, Self::Inputs, Self::Alerts, Self::Commands>,
    ) -> Self::Answer;

    /// Looks ahead by one time. `state` is a copy that goes from time to time of one question and is then thrown
    /// away.
    ///
    /// # Errors
    /// `Fault::NotDeclared` unless it is written.
    fn forecast(
        &self,
        state: &mut Self::State,
        ahead: &Ahead<Self::Inputs>,
    ) -> Result<Predicted<<Self::Answer as Answer>::Outputs>, Fault> {
        let (_, _) = (state, ahead);
        Err(Fault::NotDeclared("forecast".to_owned()))
    }
}

/// What a step may return.
pub trait Answer {
    /// The outputs in it.
    type Outputs: Outputs;
    /// False when it always has outputs: the slot table then keeps no copy of the state.
    const FALLIBLE: bool;
    /// As a result.
    ///
    /// # Errors
    /// The step's own fault.
    fn outputs(self) -> Result<Self::Outputs, Fault>;
}

impl<O: Outputs> Answer for O {
    type Outputs = O;
    const FALLIBLE: bool = false;

    #[inline]
    fn outputs(self) -> Result<O, Fault> {
        Ok(self)
    }
}

impl<O: Outputs> Answer for Result<O, Fault> {
    type Outputs = O;
    const FALLIBLE: bool = true;

    #[inline]
    fn outputs(self) -> Result<O, Fault> {
        self
    }
}

/// What is known when a slot opens, besides the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The twin's id, for messages only.
    pub twin: &'a str,
    /// The only source of randomness: the same for the same twin and site. See `Random`.
    pub seed: u64,
}

/// One time of a forecast.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<I> {
    /// Assumed inputs: as asked, else the last that counted, else missing.
    pub inputs: I,
    /// The time to look at.
    pub time: Timestamp,
    /// Seconds since the time before it, or since the slot's last row.
    pub elapsed: f64,
}

/// A forecast for one time.
#[derive(Clone, Copy, Debug)]
pub struct Predicted<O> {
    /// Expected values.
    pub mean: O,
    /// Standard deviations (1 σ), in the same fields; NaN or `None` where not known.
    pub deviation: O,
}
