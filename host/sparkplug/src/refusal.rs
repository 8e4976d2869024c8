//! Why a message or a metric of it was not taken: a closed list, so that each can be counted and explained.

/// Why not. Every variant says what the edge node did otherwise than the specification asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Not `spBv1.0/group/type/node[/device]` with a known type.
    #[error("its topic is none of Sparkplug B 3.0")]
    Topic,
    /// Of an edge node that nothing is bound to.
    #[error("nothing is bound to its edge node")]
    UnknownNode,
    /// No protobuf, or not of a Sparkplug payload.
    #[error("its payload is no Sparkplug B payload")]
    Malformed,
    /// More metrics, devices or bytes than accepted.
    #[error("it has more metrics or devices than accepted")]
    TooMany,
    /// A message other than NDEATH without a `seq` from 0 to 255.
    #[error("it has no sequence number from 0 to 255")]
    NoSequence,
    /// An NBIRTH without the metric `bdSeq`: its NDEATH could not be told from an older one.
    #[error("it is an NBIRTH without the metric bdSeq")]
    NoBdSeq,
    /// A birth that gives one name, or one alias, to two metrics: what data mean could not be told.
    #[error("it is a birth that gives one name or alias to two metrics")]
    Ambiguous,
    /// A birth, a death or data that the broker had kept: how old it is nobody knows.
    #[error("it was retained, which births, deaths and data must not be")]
    Retained,
    /// Data of a node or device whose birth is not known.
    #[error("it came without a birth before it")]
    NoBirth,
    /// Sent before the birth that was taken last.
    #[error("it is from before the last birth")]
    BeforeBirth,
    /// A birth of a session that has died just before.
    #[error("it is a birth of a session whose death came before it")]
    AfterDeath,
    /// A death of an earlier session.
    #[error("it is the death of an earlier session")]
    OldDeath,
    /// Its sequence number was taken already.
    #[error("it came late or twice: its sequence number has passed")]
    OutOfOrder,
    /// What was to come before it did not.
    #[error("messages before it are missing")]
    Gap,
    /// An alias that no birth has given.
    #[error("it has an alias that no birth has given")]
    UnknownAlias,
    /// A name that no birth has given.
    #[error("it has a metric that no birth has given")]
    UnknownMetric,
    /// A value that is not of the metric's datatype, or of a datatype that no point can hold.
    #[error("it has a value that is not of its datatype, or a datatype that no point can hold")]
    WrongType,
    /// Neither a value nor `is_null`.
    #[error("it has a metric with neither a value nor is_null")]
    NoValue,
    /// A text that is not among the labels of the point that it feeds.
    #[error("it has a text that is not among the labels of the point")]
    UnknownLabel,
    /// A time further ahead of this host's clock than accepted.
    #[error("it has a time too far in the future")]
    FutureTime,
}
