//! The twins of a pin, as the pattern of one plan.

/// Twins that one plan names. What a pin has beyond that comes with the next.
const TWINS_PER_PLAN: usize = 1_000;

/// A pattern that selects the first of these ids and nothing else; `None` when there is none.
pub(super) fn pattern<'i>(ids: impl Iterator<Item = &'i str>) -> Option<String> {
    let mut ids = ids.peekable();
    let first = *ids.peek()?;
    // Two dots between braces are a range.
    let is_plain = |id: &&str| !id.contains("..");
    let some: Vec<&str> = ids.take(TWINS_PER_PLAN).filter(is_plain).collect();
    Some(match some.as_slice() {
        [_, _, ..] if is_plain(&first) => format!("{{{}}}", some.join(",")),
        _ => first.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use geminus_twin::pattern::Selection;

    use super::*;

    #[test]
    fn a_pattern_selects_the_twins_of_a_pin_and_no_other() {
        for (ids, expect) in [
            (vec![], None),
            (vec!["pump-1"], Some("pump-1")),
            (vec!["pump-1", "fan:2", "a.b_c"], Some("{pump-1,fan:2,a.b_c}")),
            // It comes alone, so that the others come too.
            (vec!["a..b", "pump-1"], Some("a..b")),
            (vec!["pump-1", "a..b", "pump-2"], Some("{pump-1,pump-2}")),
            (vec!["pump-1", "a..b"], Some("pump-1")),
        ] {
            let made = pattern(ids.iter().copied());
            assert_eq!(made.as_deref(), expect, "{ids:?}");
            let Some(made) = made else { continue };
            let selection = Selection::new(&made).expect("a pattern");
            assert!(selection.matches(ids[0]), "{made} leaves the first out");
            assert!(!selection.matches("pump-11") && !selection.matches("pump"), "{made}");
        }
    }

    #[test]
    fn a_plan_names_a_thousand_twins_at_most() {
        let ids: Vec<String> = (0..1_500).map(|number| format!("pump-{number}")).collect();
        let made = pattern(ids.iter().map(String::as_str)).expect("a pattern");
        let selection = Selection::new(&made).expect("a pattern");
        let selected = ids.iter().filter(|id| selection.matches(id)).count();
        assert_eq!(
            (selected, selection.matches("pump-999"), selection.matches("pump-1000")),
            (1_000, true, false)
        );
    }
}
