//! A rollback is as if nothing had been: v1 → v2 → v1 equals never having left v1, for random states, rows and moments
//! of both switches, wherever what v1 remembers goes into v2 and comes back from it unchanged.

#![allow(clippy::expect_used, reason = "a test that cannot set up its case fails by saying so")]

use geminus_sdk::prelude::*;
use geminus_sdk::testing::Host;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, Inputs)]
pub struct In {
    /// A level.
    #[input(unit = "m", event)]
    pub level: Reading,
}

#[derive(Debug, Outputs)]
pub struct Out {
    /// Smoothed.
    #[output(unit = "m", role = "estimate", of = "level")]
    pub smooth: Option<f64>,
    /// Rows with a level.
    #[output(unit = "1")]
    pub rows: f64,
}

/// Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
pub struct V1 {
    smooth: Option<f64>,
    rows: u32,
}

/// Schema 2 keeps the same in another order and width, and the highest level besides.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 2, up = V1, down = V1)]
pub struct V2 {
    rows: u64,
    highest: Option<f64>,
    smooth: [Option<f64>; 1],
}

/// Schema 3 forgets the highest again; its way down goes through schema 2.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 3, up = V2, down = V2)]
pub struct V3 {
    smooth: Option<f64>,
    rows: u64,
}

impl Migrate<V1> for V2 {
    fn migrate(old: V1) -> Result<Self, Fault> {
        Ok(Self { rows: old.rows.into(), highest: old.smooth, smooth: [old.smooth] })
    }
}

impl Migrate<V2> for V1 {
    fn migrate(new: V2) -> Result<Self, Fault> {
        let rows = u32::try_from(new.rows).map_err(|_| Fault::state("more rows than schema 1 can count"))?;
        Ok(Self { smooth: new.smooth[0], rows })
    }
}

impl Migrate<V2> for V3 {
    fn migrate(old: V2) -> Result<Self, Fault> {
        Ok(Self { smooth: old.smooth[0], rows: old.rows })
    }
}

impl Migrate<V3> for V2 {
    fn migrate(new: V3) -> Result<Self, Fault> {
        Ok(Self { rows: new.rows, highest: None, smooth: [new.smooth] })
    }
}

/// Both versions smooth by the same formula; the rest of their states differs.
fn smoothed(before: Option<f64>, level: Option<f64>, elapsed: Option<f64>) -> Option<f64> {
    let keep = elapsed.map_or(0.0, |dt| math::exp(-dt / 7.0));
    level.map(|now| now + keep * (before.unwrap_or(now) - now)).or(before)
}

fn higher(before: Option<f64>, level: Option<f64>) -> Option<f64> {
    level.map(|level| before.map_or(level, |before| before.max(level))).or(before)
}

macro_rules! version {
    ($name:ident, $state:ty, |$kept:ident, $level:ident| $smooth:expr $(, $rest:expr)?) => {
        #[derive(Debug, Parameters)]
        pub struct $name;

        #[estimator]
        impl Behavior for $name {
            fn step(&self, $kept: &mut $state, row: &mut Row<In>) -> Out {
                let $level = row.inputs.level.value();
                $smooth = smoothed($smooth, $level, row.elapsed());
                $kept.rows += if $level.is_some() { 1 } else { 0 };
                $($rest;)?
                Out { smooth: $smooth, rows: $kept.rows as f64 }
            }
        }
    };
}
version!(First, V1, |kept, level| kept.smooth);
version!(Second, V2, |kept, level| kept.smooth[0], kept.highest = higher(kept.highest, level));
version!(Third, V3, |kept, level| kept.smooth);

/// Any number, also ones that cannot be a level, and none.
fn row() -> impl Strategy<Value = In> {
    let any = proptest::num::f64::ANY.prop_map(Reading::good);
    let usual = (-10.0..10.0_f64).prop_map(Reading::good);
    let none = Just(Reading::missing());
    prop_oneof![1 => any, 6 => usual, 2 => none].prop_map(|level| In { level })
}

/// Rows with the seconds since the one before.
fn rows(most: usize) -> impl Strategy<Value = Vec<(f64, In)>> {
    proptest::collection::vec((1e-3..1e4_f64, row()), 0..most)
}

/// Steps, and gives each answer as bits.
fn stepped<B: Behavior<Inputs = In>>(
    host: &mut Host<B>,
    clock: &mut f64,
    rows: &[(f64, In)],
) -> Vec<(u64, u64)> {
    let bits = |value: Option<f64>| value.map_or(u64::MAX, f64::to_bits);
    rows.iter()
        .map(|(elapsed, inputs)| {
            *clock += elapsed;
            let stepped = host.step(*clock, *inputs).expect("steps");
            (bits(stepped.value("smooth")), bits(stepped.value("rows")))
        })
        .collect()
}

/// Through `B` and back: answers and bytes are those of a twin that stayed.
fn check<B: Behavior<Inputs = In>>(
    before: &[(f64, In)],
    away: &[(f64, In)],
    after: &[(f64, In)],
) -> Result<(), TestCaseError> {
    let (mut stayed, mut left) =
        (Host::<First>::open("{}").expect("opens"), Host::<First>::open("{}").expect("opens"));
    let (mut here, mut there) = (0.0, 0.0);
    prop_assert_eq!(stepped(&mut stayed, &mut here, before), stepped(&mut left, &mut there, before));
    let mut newer = left.hand_to::<B>("{}").expect("the way up");
    prop_assert_eq!(stepped(&mut stayed, &mut here, away), stepped(&mut newer, &mut there, away));
    let mut back = newer.hand_to::<First>("{}").expect("the way down");
    prop_assert_eq!(stayed.snapshot(None), back.snapshot(None), "after the way back");
    prop_assert_eq!(stepped(&mut stayed, &mut here, after), stepped(&mut back, &mut there, after));
    prop_assert_eq!(stayed.snapshot(None), back.snapshot(None), "at the end");
    Ok(())
}

proptest! {
    #[test]
    fn up_and_down_is_as_if_nothing_had_been(before in rows(40), away in rows(40), after in rows(40)) {
        check::<Second>(&before, &away, &after)?;
        check::<Third>(&before, &away, &after)?;
    }

    #[test]
    fn a_state_that_goes_up_and_down_is_the_same(smooth in proptest::option::of(proptest::num::f64::ANY), rows: u32) {
        let state = V1 { smooth, rows };
        let bits = |state: &V1| (state.smooth.map(f64::to_bits), state.rows);
        let up = V3::migrate(V2::migrate(state.clone()).expect("up")).expect("up");
        let down = V1::migrate(V2::migrate(up.clone()).expect("down")).expect("down");
        prop_assert_eq!(bits(&state), bits(&down));
        let (mut bytes, mut chained) = (Vec::new(), Vec::new());
        state.save(1, &mut bytes).expect("saves");
        up.save(1, &mut chained).expect("saves through both");
        prop_assert_eq!(bytes, chained);
    }
}

#[test]
fn the_newest_common_schema_carries_and_what_cannot_be_said_stays() {
    let mut third = Host::<Third>::open("{}").expect("opens");
    third.step(1.0, In { level: Reading::good(2.0) }).expect("steps");
    assert_eq!(third.hand_to::<Second>("{}").expect("down").snapshot(None).expect("saves").schema, 2);

    let full = V2 { rows: u64::from(u32::MAX) + 1, ..V2::default() };
    let (mut bytes, mut whole) = (Vec::new(), Vec::new());
    assert!(full.save(1, &mut bytes).is_err(), "counted further than schema 1 can");
    full.save(2, &mut whole).expect("its own schema");
    assert_eq!(bytes, [], "a fault leaves nothing behind");
    let told =
        Host::<First>::open("{}").expect("opens").hand_to::<Unrelated>("{}").expect_err("no common schema");
    assert!(told.to_string().contains("(7)"), "{told}");
}

/// A state that shares no schema with the others.
#[derive(Clone, Debug, Default, State)]
#[state(schema = 7)]
pub struct V7 {
    smooth: Option<f64>,
    rows: u32,
}
version!(Unrelated, V7, |kept, level| kept.smooth);
