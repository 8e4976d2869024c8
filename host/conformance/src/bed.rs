//! One package ready to be tried: compiled once, with parameters that follow its own schema, and as many fresh cohorts
//! as a clause asks for.

use std::sync::Arc;

use geminus_behavior::{
    Cohort, CompileError, Compiled, Engine, EngineError, HostCalls, Limits, Opening, Series, StartError,
    Stepped, TwinFault,
};
use geminus_core::{Declaration, Frame, Timestamp, TwinIndex};
use geminus_registry::Package;
use geminus_twin::plant::{self, ParameterError};
use serde_json::{Map, Value};

/// Seed of every slot that is opened here, the SDK's own host uses the same.
pub(crate) const SEED: u64 = geminus_sdk::testing::SEED;

/// A compiled package and the parameters that its twins get.
pub struct Bed {
    compiled: Arc<Compiled>,
    package: Package,
    given: Map<String, Value>,
    parameters: Arc<[u8]>,
}

/// Why a package cannot be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// This machine cannot run components.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It cannot be compiled, or asks for what a behavior may not have.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The parameters do not follow the plugin's schema.
    #[error("{}: give parameters that its schema allows", one_line(.0))]
    Parameters(Vec<ParameterError>),
    /// The component cannot be instantiated, or refuses its twin.
    #[error(transparent)]
    Start(#[from] StartError),
}

fn one_line(errors: &[ParameterError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A host that answers nothing: what a behavior gives must not hang on its log or on look-ups that no site granted.
struct Deaf;

impl HostCalls for Deaf {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("no site has granted look-ups here".to_owned())
    }
}

impl Bed {
    /// Compiles the package and fills the parameters in. Takes as long as the compiler needs: 30 ms for a filter,
    /// seconds for an interpreter.
    ///
    /// # Errors
    /// What keeps it from being run.
    pub fn new(package: Package, given: Map<String, Value>) -> Result<Self, BedError> {
        let filled =
            plant::parameters(&package.declaration.parameters, &given).map_err(BedError::Parameters)?;
        let engine = Engine::new(Limits::default())?;
        let compiled =
            engine.compile(package.digest, &package.bytes, Arc::clone(&package.declaration), None)?;
        let parameters = Arc::from(Value::Object(filled).to_string().into_bytes());
        Ok(Self { compiled, package, given, parameters })
    }

    /// What is tried.
    #[must_use]
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// What it says of itself.
    #[must_use]
    pub fn declaration(&self) -> &Declaration {
        &self.package.declaration
    }

    /// Parameters of its twins, defaults filled in, as a JSON object.
    #[must_use]
    pub fn parameters(&self) -> &str {
        std::str::from_utf8(&self.parameters).unwrap_or("{}")
    }

    /// A fresh cohort of that many twins with the bed's parameters.
    pub(crate) fn cohort(&self, twins: u32) -> Result<Cohort, BedError> {
        self.cohort_with(twins, &self.parameters)
    }

    /// The same with one parameter set to another value.
    pub(crate) fn cohort_where(&self, name: &str, value: f64) -> Result<Cohort, BedError> {
        let mut given = self.given.clone();
        given.insert(name.to_owned(), Value::from(value));
        let schema = &self.declaration().parameters;
        let filled = plant::parameters(schema, &given).map_err(BedError::Parameters)?;
        self.cohort_with(1, &Arc::from(Value::Object(filled).to_string().into_bytes()))
    }

    /// The same with parameters as JSON text, defaults filled in.
    pub(crate) fn cohort_of(&self, parameters: &str) -> Result<Cohort, BedError> {
        let given = serde_json::from_str(parameters).unwrap_or_default();
        let schema = &self.declaration().parameters;
        let filled = plant::parameters(schema, &given).map_err(BedError::Parameters)?;
        self.cohort_with(1, &Arc::from(Value::Object(filled).to_string().into_bytes()))
    }

    fn cohort_with(&self, twins: u32, parameters: &Arc<[u8]>) -> Result<Cohort, BedError> {
        let opening = |twin| Opening {
            twin: TwinIndex(twin),
            id: format!("twin-{twin}"),
            parameters: Arc::clone(parameters),
            seed: SEED,
        };
        let openings = (0..twins).map(opening).collect();
        let (cohort, refused) = Cohort::start(Arc::clone(&self.compiled), Arc::new(Deaf), openings)?;
        match refused.first() {
            None => Ok(cohort),
            Some(_) => {
                let label = self.declaration().label();
                Err(BedError::Start(StartError::AllRefused { label, refused }))
            }
        }
    }
}

impl std::fmt::Debug for Bed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bed").field("package", &self.package.declaration.label()).finish_non_exhaustive()
    }
}

/// Why rows had no result, as evidence.
pub(crate) fn blame(fault: &TwinFault) -> String {
    let row = fault.row.map_or(String::new(), |row| format!(" in row {row}"));
    format!("{}{row}: {}", fault.kind.name(), fault.message)
}

/// Steps the frames one after another; any fault is the end.
pub(crate) fn played(cohort: &mut Cohort, frames: &[Frame]) -> Result<Vec<Stepped>, String> {
    let step = |frame: &Frame| {
        let stepped = cohort.step(frame).map_err(|error| error.to_string())?;
        stepped.faults.first().map_or(Ok(()), |fault| Err(blame(fault)))?;
        Ok(stepped)
    };
    frames.iter().map(step).collect()
}
