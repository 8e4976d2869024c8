//! What a person wants on the command line, as a plan: a file for the whole of it, flags for what is often said.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use geminus_rollout::{Difference, Plan, Promote};

/// Seconds that a canary takes when neither the file nor a flag says.
const CANARY_SECONDS: u64 = 60;

/// A plan in words.
#[derive(Debug, Default, Args)]
pub(crate) struct Wish {
    /// What is to run: a plugin and its exact version, a range of versions (`motor-thermal@^1.4`) or a digest
    /// (`motor-thermal@sha256:…`). May be left out when the plan file names both.
    #[arg(value_name = "PLUGIN@VERSION")]
    target: Option<String>,
    /// Name of the [[behavior]] of the site; needed when several use the plugin.
    #[arg(long, value_name = "NAME")]
    behavior: Option<String>,
    /// Pattern of the twins that shall have the version in the end (`pump-*`); all of the behavior unless given.
    #[arg(long, value_name = "PATTERN")]
    twins: Option<String>,
    /// Plan in TOML, as docs/generated/rollout-plan.schema.json describes it. Flags count for more.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Shadow: compared rows that each twin has at least.
    #[arg(long, value_name = "N")]
    shadow_rows: Option<u64>,
    /// Shadow: seconds at least. Its time limit grows to twice that where it is shorter.
    #[arg(long, value_name = "S")]
    shadow_seconds: Option<u64>,
    /// Canary: how many twins go first.
    #[arg(long, value_name = "N", group = "canary")]
    canary_count: Option<u32>,
    /// Canary: which part of the twins goes first, above 0 and at most 1.
    #[arg(long, value_name = "F", group = "canary")]
    canary_share: Option<f64>,
    /// Canary: which twins go first.
    #[arg(long, value_name = "ID,…", value_delimiter = ',', group = "canary")]
    canary_twins: Option<Vec<String>>,
    /// Canary: compared rows that each of its twins has at least.
    #[arg(long, value_name = "N")]
    canary_rows: Option<u64>,
    /// Canary: seconds at least; 60 when nothing says how long. Its time limit grows to twice that where it is shorter.
    #[arg(long, value_name = "S")]
    canary_seconds: Option<u64>,
    /// Probation: seconds at least. Its time limit grows to twice that where it is shorter.
    #[arg(long, value_name = "S")]
    probation_seconds: Option<u64>,
    /// Shadow and canary wait for `geminus rollout promote`, until their time limit.
    #[arg(long)]
    manual: bool,
    /// The new version may start without the state of the old one where it cannot read it.
    #[arg(long)]
    cold_start: bool,
    /// Largest difference of an output in one row: in its unit, as a part of the running version's value, or both, of
    /// which the wider counts (`winding_temperature=2`, `flow=1%`, `flow=0.5,1%`); `*` is every other output.
    #[arg(long = "accept", value_name = "OUTPUT=ABS[,REL%]", value_parser = accepted)]
    accept: Vec<(String, Difference)>,
}

/// An output and how far it may differ.
fn accepted(text: &str) -> Result<(String, Difference), String> {
    let hint = "give OUTPUT=ABS, OUTPUT=REL% or OUTPUT=ABS,REL%";
    let (output, limits) = text.split_once('=').ok_or(hint)?;
    if output.trim().is_empty() {
        return Err(hint.to_owned());
    }
    let mut difference = Difference::default();
    for limit in limits.split(',').map(str::trim) {
        let (place, number, scale) = match limit.strip_suffix('%') {
            Some(number) => (&mut difference.relative, number, 0.01),
            None => (&mut difference.absolute, limit, 1.0),
        };
        let number: f64 = number.trim().parse().map_err(|_| format!("{limit:?} is no number: {hint}"))?;
        if place.replace(number * scale).is_some() {
            return Err(format!("{limit:?} is one limit too many: {hint}"));
        }
    }
    Ok((output.trim().to_owned(), difference))
}

impl Wish {
    /// The plan, checked.
    pub(super) fn plan(&self) -> anyhow::Result<Plan> {
        let mut plan = self.written()?;
        self.say(&mut plan)?;
        let mistakes = plan.check().err().unwrap_or_default();
        match mistakes.as_slice() {
            [] => Ok(plan),
            _ => bail!("the plan cannot be carried out:\n  {}", mistakes.join("\n  ")),
        }
    }

    /// Plugin and version, and what the file says.
    fn written(&self) -> anyhow::Result<Plan> {
        let target = self.target.as_deref().map(parts).transpose()?;
        let Some(path) = &self.plan else {
            let (plugin, version) =
                target.context("say what is to run: PLUGIN@VERSION, or --plan FILE that names both")?;
            return Ok(Plan::direct(plugin, version));
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the plan cannot be read from {}", path.display()))?;
        read(&text, target, path)
    }

    /// Flags count for more than the file.
    fn say(&self, plan: &mut Plan) -> anyhow::Result<()> {
        plan.behavior = self.behavior.clone().or(plan.behavior.take());
        plan.twins = self.twins.clone().or(plan.twins.take());
        let stages = &mut plan.stages;
        let put = |place: &mut u64, flag: Option<u64>| flag.into_iter().for_each(|value| *place = value);
        let span = |seconds: &mut u64, seconds_max: &mut u64, flag: Option<u64>| {
            if let Some(value) = flag {
                *seconds = value;
                if value > *seconds_max {
                    *seconds_max = value.saturating_mul(2);
                }
            }
        };
        put(&mut stages.shadow.rows, self.shadow_rows);
        span(&mut stages.shadow.seconds, &mut stages.shadow.seconds_max, self.shadow_seconds);
        let canary = &mut stages.canary;
        if self.canary_count.is_some() || self.canary_share.is_some() || self.canary_twins.is_some() {
            canary.count = self.canary_count;
            canary.share = self.canary_share;
            canary.twins.clone_from(&self.canary_twins);
        }
        put(&mut canary.rows, self.canary_rows);
        span(&mut canary.seconds, &mut canary.seconds_max, self.canary_seconds);
        if canary.wanted() && canary.rows == 0 && canary.seconds == 0 {
            canary.seconds = CANARY_SECONDS.min(canary.seconds_max);
        }
        let probation = &mut stages.probation;
        span(&mut probation.seconds, &mut probation.seconds_max, self.probation_seconds);
        if self.manual {
            stages.promote = Promote::Manual;
        }
        stages.cold_start |= self.cold_start;
        for (output, difference) in &self.accept {
            let before = stages.acceptance.difference.insert(output.clone(), *difference);
            if before.is_some() && self.accept.iter().filter(|(name, _)| name == output).count() > 1 {
                bail!("--accept {output} is given twice");
            }
        }
        Ok(())
    }
}

/// `PLUGIN@VERSION`.
fn parts(target: &str) -> anyhow::Result<(&str, &str)> {
    let parts = target.split_once('@').filter(|(plugin, version)| !plugin.is_empty() && !version.is_empty());
    parts.ok_or_else(|| anyhow!("{target:?} is no PLUGIN@VERSION, for example motor-thermal@1.4.0"))
}

/// A plan file; plugin and version may be said elsewhere.
fn read(text: &str, target: Option<(&str, &str)>, path: &Path) -> anyhow::Result<Plan> {
    let file = || path.display().to_string();
    let mut table: toml::Table = text.parse().with_context(file)?;
    if let Some((plugin, version)) = target {
        if let Some(other) = table.get("plugin").and_then(toml::Value::as_str).filter(|name| *name != plugin)
        {
            bail!("{} is a plan for {other}, not for {plugin}", path.display());
        }
        table.insert("plugin".to_owned(), plugin.into());
        table.insert("version".to_owned(), version.into());
    }
    for key in ["plugin", "version"] {
        if !table.contains_key(key) {
            bail!("{} does not name the {key}: write it there or give PLUGIN@VERSION", path.display());
        }
    }
    table.try_into().with_context(file)
}

#[cfg(test)]
mod tests;
