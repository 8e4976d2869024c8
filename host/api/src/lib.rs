//! HTTP/JSON, server-sent events, metrics, and the dashboard's files: the only room that knows HTTP.
//!
//! The binary implements [`House`] over the running rooms, makes one [`EventBus`] that shards and the journal
//! publish into, and serves [`router`] with [`serve`]. Nothing below this room knows the shapes in [`view`].
//! Who may ask what is decided in `guard`, by the one table there and the gate in [`Options`].

mod actor;
pub mod bus;
pub mod dashboard;
mod error;
mod guard;
pub mod house;
pub mod metrics;
pub mod openapi;
mod options;
pub mod orders;
mod places;
pub mod query;
mod request;
mod routes;
mod serve;
mod stall;
mod stream;
pub mod thread;
mod tls;
mod traffic;
pub mod view;

pub use actor::{Actor, Role};
pub use bus::{BusLimits, EventBus, Interest, Reading, TwinEvent, Values, Watched};
pub use dashboard::Asset;
pub use error::{ErrorDetail, ErrorView};
pub use guard::pace::PaceLimits;
pub use guard::permission::permissions;
pub use house::{House, Trouble};
pub use options::{Limits, Options};
pub use request::{BY_CHARS_MAX, BY_DEFAULT, RECORDS_MAX, RecordRequest};
pub use routes::{router, routes};
pub use serve::{ServeError, serve};
pub use tls::{Tls, TlsError};
pub use traffic::Traffic;
