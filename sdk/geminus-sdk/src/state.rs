//! What a behavior remembers from row to row, versioned: the trait behind `#[derive(State)]`.
//!
//! A schema is a number that grows when the meaning of the bytes changes. `#[state(schema = 2, up = LevelV1)]` reads
//! schema 1 through `impl Migrate<LevelV1> for Level`, and everything that `LevelV1` itself reads; `down = LevelV1`
//! writes it through `impl Migrate<Level> for LevelV1`, for a rollback.

use crate::Fault;
use crate::pack::{Pack, Unpacker};

/// State with its schemas. Derive it; plain values (`f64`, `Option<f64>`, `[f64; 4]`) are states of schema 1, and
/// `()` is no state at all.
pub trait State: Clone + Sized + 'static {
    /// Number of the newest schema, 0 for no state.
    const SCHEMA: u32;
    /// The declaration's `state` object.
    const DECLARATION: &'static str;
    /// Schemas that `load` reads, with commas between.
    const READS: &'static str;
    /// Schemas that `save` writes, with commas between.
    const WRITES: &'static str;

    /// Appends the state in `schema`.
    ///
    /// # Errors
    /// `Fault::State` when this type does not write it, or cannot express itself in it.
    fn save(&self, schema: u32, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// Takes a state in `schema` from the front.
    ///
    /// # Errors
    /// `Fault::State` when this type does not read it, or the bytes are not it.
    fn load(schema: u32, input: &mut Unpacker<'_>) -> Result<Self, Fault>;
}

/// The step from one schema to its neighbour, in either direction.
pub trait Migrate<Other>: Sized {
    /// Makes this schema's state from the other's.
    ///
    /// # Errors
    /// `Fault::state` when it cannot be expressed; the swap is then called off.
    fn migrate(other: Other) -> Result<Self, Fault>;
}

/// The fault for a schema that a type does not know.
#[must_use]
pub fn unknown_schema(schema: u32, known: &str) -> Fault {
    Fault::state(format!("schema {schema} is not among the known ones ({known})"))
}

macro_rules! plain {
    ($schema:literal [$($list:literal)?] {$($generic:tt)*} $state:ty) => {
        impl<$($generic)*> State for $state {
            const SCHEMA: u32 = $schema;
            const DECLARATION: &'static str =
                concat!(r#"{"schema":"#, $schema, r#","reads":["#, $($list,)? r#"],"writes":["#, $($list,)? "]}");
            const READS: &'static str = concat!($($list)?);
            const WRITES: &'static str = concat!($($list)?);

            fn save(&self, schema: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
                if schema != $schema {
                    return Err(unknown_schema(schema, Self::WRITES));
                }
                self.pack(out);
                Ok(())
            }

            fn load(schema: u32, input: &mut Unpacker<'_>) -> Result<Self, Fault> {
                if schema != $schema {
                    return Err(unknown_schema(schema, Self::READS));
                }
                Self::unpack(input)
            }
        }
    };
}
plain!(0 [] {} ());
plain!(1 [1] {} f64);
plain!(1 [1] {} u64);
plain!(1 [1] {T: Pack + Clone + 'static} Option<T>);
plain!(1 [1] {T: Pack + Clone + 'static, const N: usize} [T; N]);
plain!(1 [1] {A: Pack + Clone + 'static, B: Pack + Clone + 'static} (A, B));
