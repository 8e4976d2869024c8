//! The hostile plugins of `contain.neighbours`: what each does in every row, and whether that is a fault. They are
//! modules of a few lines, each around the same frame, so that nothing but the misdeed takes time.

use geminus_registry::{Package, author};
use serde_json::json;

/// What comes of a guest's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its calls end as faults.
    Faults,
    /// It keeps within its budget, as much of it as there is.
    Goes,
}

/// One hostile plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) name: &'static str,
    /// What it does before it answers.
    misdeed: &'static str,
    /// What it changes in its answer, which has a zero for each row; see `hostile.wat` for where that lies.
    answer: &'static str,
    pub(super) end: End,
}

const fn acts(name: &'static str, misdeed: &'static str) -> Guest {
    Guest { name, misdeed, answer: "", end: End::Faults }
}

pub(super) const GUESTS: [Guest; 13] = [
    acts("loop", "(loop $on (br $on))"),
    acts("trap", "unreachable"),
    acts(
        "memory",
        "(loop $on
           (local.set $n (memory.grow (i32.const 16)))
           (if (i32.ne (local.get $n) (i32.const -1))
             (then (memory.fill (i32.shl (local.get $n) (i32.const 16)) (i32.const 1) (i32.const 1048576))))
           (br $on))",
    ),
    acts("log", "(loop $on (call $log (i32.const 2) (i32.const 16) (i32.const 1000)) (br $on))"),
    acts("copy", "(loop $on (memory.copy (i32.const 0) (i32.const 1) (i32.const 25000000)) (br $on))"),
    Guest {
        end: End::Goes,
        ..acts(
            "burn",
            "(loop $on
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $on (i32.lt_u (local.get $n) (i32.const 250000))))",
        )
    },
    acts("recursion", "(drop (call $deep (i32.const 1)))"),
    acts("table", "(loop $on (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $on))"),
    // Ten million values: 80 MB, which it has.
    Guest {
        answer: "(i32.store (i32.const 1032) (i32.const 10000000))",
        ..acts("list", "(drop (memory.grow (i32.const 1000)))")
    },
    // A fault in words of 64 MiB, which it has.
    Guest {
        answer: "(i32.store8 (i32.const 1024) (i32.const 1))
           (i32.store8 (i32.const 1028) (i32.const 4))
           (i32.store (i32.const 1032) (i32.const 65536))
           (i32.store (i32.const 1036) (i32.const 67108864))",
        ..acts("string", "(drop (memory.grow (i32.const 1000)))")
    },
    // More alerts than a row may raise, all the same one.
    Guest { answer: "(call $alerts (i32.const 100))", ..acts("alerts", "") },
    // As many as it may raise, with as many words as are kept.
    Guest { answer: "(call $alerts (i32.const 16))", end: End::Goes, ..acts("alerts-allowed", "") },
    // A number where all bits are set is none.
    Guest {
        answer: "(memory.fill (i32.const 4096) (i32.const 255) (i32.mul (local.get $rows) (i32.const 8)))",
        end: End::Goes,
        ..acts("nan", "")
    },
];

impl Guest {
    pub(super) fn package(&self) -> anyhow::Result<Package> {
        let text = include_str!("hostile.wat");
        let text = text.replace("{{misdeed}}", self.misdeed).replace("{{answer}}", self.answer);
        let module = wat::parse_str(text)?;
        let declaration = json!({
            "declaration": 1, "name": format!("hostile-{}", self.name), "version": "1.0.0", "kind": "estimator",
            "inputs": [{ "name": "a", "unit": "Cel", "arrival": "event" }],
            "outputs": [{ "name": "b", "unit": "1" }],
            "alerts": [{ "code": "odd", "priority": "low", "text": "odd" }],
            "state": { "schema": 1, "reads": [1], "writes": [1] },
            "budget": { "fuel_per_row": 10_000_000, "memory_bytes": 256 << 20 },
        });
        let bytes = author::componentize_bare(&module, declaration.to_string().as_bytes(), "wat")?;
        Ok(Package::check(std::path::Path::new(self.name), bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hostile_plugin_is_a_package_of_its_own() {
        let mut digests = Vec::new();
        for guest in GUESTS {
            let package = guest.package().expect(guest.name);
            assert_eq!(package.declaration.label(), format!("hostile-{}@1.0.0", guest.name));
            digests.push(package.digest);
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), GUESTS.len());
    }
}
