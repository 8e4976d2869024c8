//! Which checkpoints stay, against the rule said plainly; the bound of all bytes; damage.

use std::collections::BTreeSet;
use std::sync::Arc;

use geminus_core::ManualClock;
use proptest::prelude::*;

use super::thin::{BORDERS_MAX, Kept, PERIODIC_AGE_MAX, PERIODIC_LAST};
use super::*;
use crate::Options;
use crate::sqlite::number;

const ALL: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(u64::MAX));
const MINUTE: u64 = 60_000_000_000;

fn control(dir: &std::path::Path) -> Control {
    Control::open(dir, &Options::default(), Arc::new(ManualClock::new(Timestamp(1)))).expect("control.db")
}

fn checkpoint(twin: &str, row_time: u64, border: Border, bytes: usize) -> Checkpoint {
    Checkpoint {
        binding: "thermal".to_owned(),
        twin: twin.to_owned(),
        row_time: Timestamp(row_time),
        rows: row_time / MINUTE,
        incarnation: 7,
        schema: 2,
        border,
        bytes: (0..bytes).map(|at| (at as u64 ^ row_time) as u8).collect(),
    }
}

/// The rule, said of all that was ever saved: (row time, number of the save) of what must be there.
fn expected(saved: &[Kept]) -> BTreeSet<(u64, i64)> {
    let mut order: Vec<&Kept> = saved.iter().collect();
    order.sort_by_key(|kept| std::cmp::Reverse((kept.row_time, kept.id)));
    let newest = order.first().map_or(Timestamp(0), |kept| kept.row_time);
    let (periodic, borders): (Vec<&Kept>, Vec<&Kept>) =
        order.into_iter().partition(|kept| kept.border == Border::Periodic);
    let hour = |kept: &Kept| kept.row_time.0 / (60 * MINUTE);
    let hourly = periodic.iter().enumerate().filter(|(at, kept)| {
        let later = &periodic[..*at];
        kept.row_time >= newest.minus(PERIODIC_AGE_MAX) && later.iter().all(|later| hour(later) != hour(kept))
    });
    let kept = borders.iter().take(BORDERS_MAX).chain(periodic.iter().take(PERIODIC_LAST));
    kept.chain(hourly.map(|(_, kept)| kept)).map(|kept| (kept.row_time.0, kept.id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_is_kept_is_what_the_rule_says(
        steps in prop::collection::vec((0u64..4_000, 0u8..5, 1usize..4), 1..160),
        jumps in 0u64..120,
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let control = control(dir.path());
        let mut saved: Vec<Kept> = Vec::new();
        let mut base = 0;
        for (at, kind, count) in steps {
            base += at % (jumps + 1);
            let border = match kind { 0 => Border::Switch, 1 => Border::Restore, _ => Border::Periodic };
            // Times go up mostly, and back at times. The number of the save stands in the rows.
            let mut batch = Vec::new();
            for time in (0..count as u64).map(|turn| (base + turn * (at % 13)) * MINUTE) {
                let id = saved.len() as i64 + 1;
                saved.push(Kept { id, row_time: Timestamp(time), border });
                batch.push(Checkpoint { rows: id as u64, ..checkpoint("motor-1", time, border, 9) });
            }
            control.checkpoint_save(&batch).expect("save");
        }
        let found = control.shared.read("test", |connection| {
            let mut select = connection.prepare("SELECT row_time, rows FROM checkpoint")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
            rows.collect::<rusqlite::Result<BTreeSet<(u64, i64)>>>()
        }).expect("read");
        let expect = expected(&saved);
        prop_assert_eq!(&found, &expect);
        let whole = control.checkpoints("thermal", "motor-1", ALL.0, ALL.1).expect("read");
        prop_assert_eq!(whole.iter().map(|one| one.row_time.0).collect::<Vec<_>>(), expect.iter().map(|one| one.0).collect::<Vec<_>>());
        prop_assert_eq!(account(&control), (expect.len() * 9) as i64);
    }
}

/// The account of bytes, which must be what is there.
fn account(control: &Control) -> i64 {
    let (said, there): (i64, i64) = control
        .shared
        .read("test", |connection| {
            Ok((
                number(connection, "SELECT value FROM mark WHERE key = 'checkpoint_bytes'")?,
                number(connection, "SELECT coalesce(sum(length(state)), 0) FROM checkpoint")?,
            ))
        })
        .expect("read");
    assert_eq!(said, there);
    said
}

#[test]
fn days_of_checkpoints_stay_few() {
    let dir = tempfile::tempdir().expect("folder");
    let control = control(dir.path());
    let day = 24 * 60;
    let all: Vec<Checkpoint> = (0..10 * day / 10)
        .map(|turn| {
            let border = if turn % 12 == 0 { Border::Restore } else { Border::Periodic };
            checkpoint("motor-1", turn * 10 * MINUTE, border, 20)
        })
        .collect();
    control.checkpoint_save(&all).expect("save");
    let kept = control.checkpoints("thermal", "motor-1", ALL.0, ALL.1).expect("read");
    let periodic: Vec<&Checkpoint> = kept.iter().filter(|one| one.border == Border::Periodic).collect();
    assert_eq!(kept.len() - periodic.len(), BORDERS_MAX, "of {} borders", 10 * day / 120);
    // One for each hour that begins in the last 72, and two more of the last hour.
    assert!((73..=76).contains(&periodic.len()), "{}", periodic.len());
    assert!(kept.iter().all(|one| all.contains(one)), "as they were saved");
    assert_eq!(kept.last(), all.last());
}

#[test]
fn the_last_state_before_a_time_is_found_and_damage_costs_a_step() {
    let dir = tempfile::tempdir().expect("folder");
    let control = control(dir.path());
    let all: Vec<Checkpoint> =
        [(0, Border::Start), (5, Border::Periodic), (9, Border::Switch), (9, Border::Restore)]
            .map(|(minute, border)| checkpoint("motor-1", minute * MINUTE, border, 100 + minute as usize))
            .to_vec();
    control.checkpoint_save(&all).expect("save");
    control.checkpoint_save(&[checkpoint("motor-2", MINUTE, Border::Start, 0)]).expect("save");
    control.checkpoint_save(&[]).expect("nothing");
    let before = |minute: u64| {
        control.checkpoint_before("thermal", "motor-1", Timestamp(minute * MINUTE)).expect("read")
    };
    let cases =
        [(0, None), (1, Some(0)), (5, Some(0)), (6, Some(1)), (9, Some(1)), (10, Some(3)), (99, Some(3))];
    for (minute, expect) in cases {
        assert_eq!(before(minute).as_ref(), expect.map(|at: usize| &all[at]), "before minute {minute}");
    }
    assert_eq!(control.checkpoint_before("thermal", "motor-9", ALL.1).expect("read"), None);
    assert_eq!(control.checkpoint_before("other", "motor-1", ALL.1).expect("read"), None);

    // Of the latest, then of the one before, each in another part.
    for (meddling, minute, expect) in [
        ("UPDATE checkpoint SET state = zeroblob(109) WHERE id = 4", 10, Some(2)),
        ("UPDATE checkpoint SET incarnation = 8 WHERE id = 3", 10, Some(1)),
        ("UPDATE checkpoint SET border = 0 WHERE id = 2", 10, Some(0)),
        ("UPDATE checkpoint SET rows = 1 WHERE id = 1", 10, None),
    ] {
        let changed =
            control.shared.write("test", |transaction| transaction.execute(meddling, [])).expect("meddle");
        assert_eq!(changed, 1, "{meddling}");
        assert_eq!(before(minute).as_ref(), expect.map(|at: usize| &all[at]), "{meddling}");
    }
    let damage = control.damage();
    assert_eq!(damage.len(), 4 - 1, "the two of minute 9 are one entry: {damage:?}");
    assert!(damage.iter().all(|one| one.table == "checkpoint" && one.twin == "motor-1"));
    assert_eq!(control.checkpoints("thermal", "motor-1", ALL.0, ALL.1).expect("read"), []);
    assert_eq!(
        control.checkpoints("thermal", "motor-2", ALL.0, ALL.1).expect("read").len(),
        1,
        "the neighbour is whole"
    );
}

#[test]
fn all_of_them_together_have_a_bound() {
    let dir = tempfile::tempdir().expect("folder");
    let control = control(dir.path());
    let of = |minute: u64| {
        ["motor-1", "motor-2"].map(|twin| checkpoint(twin, minute * MINUTE, Border::Restore, 1_000))
    };
    for minute in 1..=30 {
        control.save_within(&of(minute), 32_000).expect("save");
        assert!(account(&control) <= 32_000);
    }
    let kept = control.checkpoints("thermal", "motor-2", ALL.0, ALL.1).expect("read");
    assert_eq!(kept.last(), of(30).last(), "the newest stay");
    assert!(kept.len() >= 14 && kept[0].row_time > Timestamp(MINUTE), "the oldest went: {}", kept.len());
}

#[test]
fn a_state_beyond_the_limit_is_refused_with_all_that_came_with_it() {
    let dir = tempfile::tempdir().expect("folder");
    let control = control(dir.path());
    let batch = [
        checkpoint("motor-1", 1, Border::Start, 10),
        checkpoint("motor-2", 1, Border::Start, STATE_BYTES_MAX + 1),
    ];
    let refused = control.checkpoint_save(&batch).expect_err("too large");
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert_eq!(control.checkpoint_before("thermal", "motor-1", ALL.1).expect("read"), None);
}
