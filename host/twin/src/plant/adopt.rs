//! Whether a new version of a plugin may take over a binding while the plant runs.
//!
//! A plant's points, rows and alerts are laid out once. A version with other inputs, outputs or alerts therefore
//! waits for the next start of the site; parameters are checked against the new schema here.

use std::sync::Arc;

use geminus_core::{Declaration, TwinIndex};

use super::{Binding, parameters};

impl Binding {
    /// Versions that may run for a twin: those of its pin, or those of the binding.
    #[must_use]
    pub fn versions_of(&self, twin: TwinIndex) -> &semver::VersionReq {
        let pin = self.pins.iter().find(|pin| pin.twins.binary_search(&twin).is_ok());
        pin.map_or(&self.versions, |pin| &pin.versions)
    }

    /// The parameters for `newer`, a version that may take over for the twins that are not pinned.
    ///
    /// # Errors
    /// Every reason why it may not, in an operator's words.
    pub fn adopt(&self, newer: &Declaration) -> Result<Arc<[u8]>, Vec<String>> {
        self.adopt_for(newer, &self.versions)
    }

    /// As [`Binding::adopt`], for twins to which `versions` applies instead of the binding's range: that of a pin, or
    /// what a person asked for.
    ///
    /// # Errors
    /// As [`Binding::adopt`].
    pub fn adopt_for(
        &self,
        newer: &Declaration,
        versions: &semver::VersionReq,
    ) -> Result<Arc<[u8]>, Vec<String>> {
        let older = &*self.declaration;
        let mut reasons = Vec::new();
        if older.name != newer.name {
            reasons.push(format!("it is plugin {}, not {}", newer.name, older.name));
        }
        if !versions.matches(&newer.version.0) {
            reasons.push(format!("version {} is outside {versions} of the site file", newer.version));
        }
        let inputs = |declaration: &Declaration| -> Vec<_> {
            let shape = |input: &geminus_core::declaration::Input| {
                (input.name.clone(), input.unit.clone(), input.arrival, input.required)
            };
            declaration.inputs.iter().map(shape).collect()
        };
        let outputs = |declaration: &Declaration| -> Vec<_> {
            let shape = |output: &geminus_core::declaration::Output| {
                (output.name.clone(), output.unit.clone(), output.role, output.of.clone())
            };
            declaration.outputs.iter().map(shape).collect()
        };
        let alerts = |declaration: &Declaration| -> Vec<_> {
            declaration.alerts.iter().map(|alert| (alert.code.clone(), alert.unit.clone())).collect()
        };
        let others = [
            ("inputs", inputs(older) == inputs(newer) && older.ages == newer.ages),
            ("outputs", outputs(older) == outputs(newer)),
            ("alerts", alerts(older) == alerts(newer)),
            ("text or window inputs", newer.texts.is_empty() && newer.windows.is_empty()),
        ];
        for (what, _) in others.iter().filter(|(_, same)| !same) {
            reasons
                .push(format!("its {what} differ from {}: it can start with the site only", older.label()));
        }
        let filled = parameters(&newer.parameters, &self.given);
        match (reasons.is_empty(), filled) {
            (true, Ok(filled)) => Ok(serde_json::Value::Object(filled).to_string().into_bytes().into()),
            (_, Ok(_)) => Err(reasons),
            (_, Err(errors)) => {
                Err(reasons.into_iter().chain(errors.iter().map(ToString::to_string)).collect())
            }
        }
    }
}
