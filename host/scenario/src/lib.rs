//! What may be asked of the future of a twin, and how the answer looks: forecasts, scenarios, draws, differences.
//!
//! Pure: no IO, no clock, no threads, no component; time is an argument. `fork` runs what is written down here, the API
//! reads it from requests and shows what came out, the command line reads it from files. Rows are turned into other rows
//! here ([`Warp`], [`Outlook`]) and outcomes into figures ([`Tally`]); nobody here knows who steps them.

mod draw;
mod foresight;
mod limits;
mod outlook;
mod report;
mod scenario;
mod schema;
mod study;
mod tally;
mod threshold;
mod trajectory;
mod warp;

pub use draw::Drawn;
pub use foresight::{ForecastAsk, ForecastReport, Foreseen, TimeTo};
pub use limits::{
    CELLS_MAX, DELAY_S_MAX, DRAWS_MAX, FAULTS_MAX, KNOBS_MAX, POINTS_MAX, ROWS_ALL_MAX, ROWS_MAX,
    SCENARIOS_MAX, SPAN_S_MAX, THRESHOLDS_MAX, TIMES_MAX, TRAJECTORY_MAX,
};
pub use outlook::{Held, Outlook, ROWS_PER_CALL};
pub use report::{
    AlertCount, Course, Crossing, Difference, OutputCourse, ProposalCount, Spread, StudyReport,
};
pub use scenario::{Between, FaultKind, InputChange, Scenario, SensorFault};
pub use schema::{forecast_ask_schema, forecast_report_schema, study_report_schema, study_schema};
pub use study::{Measurements, Sample, Study};
pub use tally::Tally;
pub use threshold::Threshold;
pub use warp::Warp;
