//! Which changes of what runs.

use super::Params;
use crate::error::Failure;

/// Most activations in one answer.
pub const ACTIVATIONS_MAX: u32 = 1_000;
/// Activations when the request does not say.
pub const ACTIVATIONS_DEFAULT: u32 = 100;

/// A question about activations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationsQuery {
    /// 1 … 1,000
    pub limit: u32,
    /// Only those of the behavior of this name.
    pub binding: Option<String>,
    /// Only those of this plugin.
    pub plugin: Option<String>,
}

impl ActivationsQuery {
    pub(crate) const PARAMETERS: [&str; 3] = ["limit", "binding", "plugin"];

    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        Ok(Self {
            limit: params.number("limit", 1..=ACTIVATIONS_MAX, ACTIVATIONS_DEFAULT)?,
            binding: params.text("binding").map(str::to_owned),
            plugin: params.text("plugin").map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_checked() {
        let query = ActivationsQuery::read(Some("binding=thermal&plugin=motor-thermal")).expect("query");
        let (binding, plugin) = (Some("thermal".to_owned()), Some("motor-thermal".to_owned()));
        assert_eq!(query, ActivationsQuery { limit: 100, binding, plugin });
        let refusal = format!("{:?}", ActivationsQuery::read(Some("limit=0")).expect_err("refused"));
        assert!(refusal.contains("limit must be a whole number from 1 to 1000"), "{refusal}");
    }
}
