//! `geminus check`: everything that can be known to be wrong before the plant runs.

use std::path::Path;

use anyhow::ensure;
use geminus_twin::plant::Origin;

use crate::runtime::{field, plan};

pub(crate) fn run(site: &Path) -> anyhow::Result<()> {
    let plan = plan::check(site)?;
    let plant = &plan.plant;
    println!("{}: {} twins, {} behaviors", site.display(), plant.twins.len(), plant.bindings.len());
    for kind in &plant.kinds {
        let twins = plant.twins.iter().filter(|twin| plant.kind(twin).is_some_and(|k| std::ptr::eq(k, kind)));
        println!("  {} ({}): {} twins", kind.type_name, kind.type_id, twins.count());
        for point in &kind.points {
            let origin = match &point.origin {
                Origin::Measured { interval_ms, .. } => format!("measured every {interval_ms} ms"),
                Origin::Estimated { role, .. } => format!("{role:?}").to_lowercase(),
            };
            println!("    {:<36} {:<8} {origin}", point.name, point.unit);
        }
    }
    for (binding, pick) in plant.bindings.iter().zip(&plan.picked) {
        let package = &pick.package;
        println!(
            "  {} runs {} ({}) for {} twins",
            binding.name,
            package.declaration.label(),
            package.digest.short(),
            binding.twins.len()
        );
    }
    for (path, reason) in &plan.refused {
        println!("  not taken: {}: {reason}", path.display());
    }
    let mut broken = Vec::new();
    for (source, read) in field::recordings(plant, site.parent().unwrap_or(Path::new(""))) {
        match read {
            Ok(recording) => {
                println!("  source {} plays {} rows", source.name, recording.len());
                for kind in recording.refused().kinds() {
                    println!("    not taken: {kind}");
                }
            }
            Err(error) => broken.push(format!("source {}: {error:#}", source.name)),
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    println!("ok");
    Ok(())
}
