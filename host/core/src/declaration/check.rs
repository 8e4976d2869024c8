//! What a declaration must not do: contradict itself. It is told in words for the plugin's author.

use super::{Declaration, DeclarationError, Kind, Role};

impl Declaration {
    /// Reads and checks a declaration.
    ///
    /// # Errors
    /// Names the first thing that is wrong, in words for the plugin's author.
    pub fn parse(json: &[u8]) -> Result<Self, DeclarationError> {
        let declaration: Self = serde_json::from_slice(json).map_err(DeclarationError::Shape)?;
        declaration.check()?;
        Ok(declaration)
    }

    fn check(&self) -> Result<(), DeclarationError> {
        let wrong = |what: String| Err(DeclarationError::Content(what));
        if self.declaration != 1 {
            return wrong(format!("declaration shape {} is not known, 1 is", self.declaration));
        }
        if self.name.is_empty()
            || !self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return wrong(format!("name {:?} is not lower-case kebab-case", self.name));
        }
        if self.outputs.is_empty() {
            return wrong("no output is declared".to_owned());
        }
        unique("input", self.inputs.iter().map(|i| i.name.as_str()))?;
        unique("output", self.outputs.iter().map(|o| o.name.as_str()))?;
        unique("alert", self.alerts.iter().map(|a| a.code.as_str()))?;
        unique("command", self.commands.iter().map(|c| c.name.as_str()))?;
        unique("look-up", self.lookups.iter().map(|l| l.name.as_str()))?;
        if !self.commands.is_empty() && self.kind != Kind::CommandPolicy {
            return wrong(format!("kind {:?} may not declare commands", self.kind));
        }
        for output in self.outputs.iter().filter(|o| o.role == Role::Deviation) {
            let of = output.of.as_deref().unwrap_or_default();
            if !self.outputs.iter().any(|o| o.name == of) {
                return wrong(format!("deviation {} is of {of:?}, which is no output", output.name));
            }
        }
        let mut converged = self.outputs.iter().filter(|o| o.role == Role::Converged);
        if let Some(output) = converged.next() {
            if output.unit != "1" {
                return wrong(format!(
                    "output {} of role converged has unit {:?}, not \"1\"",
                    output.name, output.unit
                ));
            }
            if let Some(second) = converged.next() {
                return wrong(format!(
                    "outputs {} and {} both have role converged",
                    output.name, second.name
                ));
            }
        }
        if self.state.schema > 0
            && !(self.state.reads.contains(&self.state.schema)
                && self.state.writes.contains(&self.state.schema))
        {
            return wrong(format!("state schema {} must stand in reads and in writes", self.state.schema));
        }
        Ok(())
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), DeclarationError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            return Err(DeclarationError::Content(format!("{what} {name:?} is empty or declared twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::{Arrival, Budget};

    fn minimal() -> serde_json::Value {
        serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.2.3", "kind": "estimator",
            "inputs": [{"name": "a", "unit": "Cel", "arrival": "event"}],
            "outputs": [
                {"name": "b", "unit": "Cel", "role": "estimate"},
                {"name": "b_sd", "unit": "K", "role": "deviation", "of": "b"}
            ],
            "state": {"schema": 1, "reads": [1], "writes": [1]}
        })
    }

    fn check(change: impl Fn(&mut serde_json::Value), expect: &str) {
        let mut json = minimal();
        change(&mut json);
        let error = Declaration::parse(json.to_string().as_bytes()).expect_err("must be refused");
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
    }

    #[test]
    fn a_minimal_declaration_is_read_with_defaults() {
        let declaration = Declaration::parse(minimal().to_string().as_bytes()).expect("valid");
        assert_eq!(declaration.label(), "probe@1.2.3");
        assert_eq!(declaration.inputs[0].arrival, Arrival::Event);
        assert!(declaration.inputs[0].required);
        assert_eq!(declaration.budget, Budget::default());
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_reason() {
        check(|j| j["declaration"] = 2.into(), "shape 2");
        check(|j| j["name"] = "Bad Name".into(), "kebab-case");
        check(
            |j| j["inputs"] = serde_json::json!([{"name":"a","unit":"1"},{"name":"a","unit":"1"}]),
            "twice",
        );
        check(|j| j["outputs"] = serde_json::json!([]), "no output");
        check(|j| j["outputs"][1]["of"] = "zzz".into(), "no output");
        check(|j| j["outputs"][0]["role"] = "converged".into(), "unit \"Cel\", not \"1\"");
        check(
            |j| {
                let converged =
                    |name: &str| serde_json::json!({"name": name, "unit": "1", "role": "converged"});
                j["outputs"] = serde_json::json!([converged("x"), converged("y")]);
            },
            "outputs x and y both have role converged",
        );
        check(|j| j["colour"] = "red".into(), "colour");
        check(|j| j["state"]["reads"] = serde_json::json!([]), "must stand in reads");
        check(
            |j| {
                j["commands"] = serde_json::json!([{"name":"speed","unit":"1","minimum":0.0,"maximum":1.0}]);
            },
            "may not declare commands",
        );
    }
}
