//! One message on its way, and what it is made for.

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) at_least_once: bool,
    pub(crate) retained: bool,
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// That we are there, with all that has to be said of that.
    Here,
    /// A twin with everything of it.
    Twin(usize),
    /// How these items of one twin stand.
    Items(Vec<u32>),
}
