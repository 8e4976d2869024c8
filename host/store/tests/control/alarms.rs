//! What was made of alarms.

use geminus_store::AlarmRecord;

use crate::*;

#[test]
fn alarms_are_kept_and_forgotten_in_one_commit() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let alarm = |twin: &str, document: Option<&str>| AlarmRecord {
        twin: twin.to_owned(),
        name: "winding-hot".to_owned(),
        document: document.map(str::to_owned),
    };
    let control = store.control();
    let both = [alarm("rig-1", Some("{\"state\":\"acknowledged\"}")), alarm("rig-2", Some("{}"))];
    control.save_alarms(&both).expect("saved");
    let too_large = alarm("rig-3", Some(&"x".repeat(20_000)));
    let refused = control.save_alarms(&[alarm("rig-1", None), too_large]).expect_err("too large");
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert_eq!(control.alarms().expect("read"), both, "all or nothing");
    control.save_alarms(&[alarm("rig-1", None), alarm("rig-2", Some("{\"a\":1}"))]).expect("saved");
    store.close().expect("close");
    let (store, _) = open(dir.path());
    assert_eq!(store.control().alarms().expect("read"), [alarm("rig-2", Some("{\"a\":1}"))]);
}
