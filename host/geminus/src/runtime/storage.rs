//! What the site file says of history, as the store takes it.

use geminus_store::{Class, Keep, Options};
use geminus_twin::site;

/// The store's options.
pub(super) fn options(said: &site::Store) -> Options {
    let site::KeepOfAll { measured, estimated, predicted, set_point, record } = said.keep;
    let kept = [
        (Class::Measured, measured),
        (Class::Estimated, estimated),
        (Class::Predicted, predicted),
        (Class::SetPoint, set_point),
        (Class::Record, record),
    ];
    let differs = |keep: &site::Keep| keep.days > 0 || keep.mib > 0;
    let keep = kept.into_iter().filter(|(_, keep)| differs(keep));
    Options {
        group_commit_ms: said.group_commit_ms.into(),
        seal_after_s: said.seal_after_s.into(),
        retention_hours: u64::from(said.retention_days) * 24,
        keep: keep
            .map(|(class, keep)| (class, Keep { hours: u64::from(keep.days) * 24, mib: keep.mib.into() }))
            .collect(),
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_hours_and_only_what_differs_is_said() {
        let said = site::Store {
            retention_days: 30,
            seal_after_s: 60,
            keep: site::KeepOfAll {
                estimated: site::Keep { days: 7, mib: 0 },
                record: site::Keep { days: 0, mib: 500 },
                ..site::KeepOfAll::default()
            },
            ..site::Store::default()
        };
        let options = options(&said);
        assert_eq!((options.retention_hours, options.seal_after_s), (720, 60));
        assert_eq!(options.keep.len(), 2);
        let check = |class: Class, hours: u64, mib: u64| assert_eq!(options.kept(class), Keep { hours, mib });
        check(Class::Measured, 720, 0);
        check(Class::Estimated, 168, 0);
        check(Class::Record, 720, 500);
        options.check().expect("they work");
    }
}
