//! The site of these tests: two rigs, and a target for each way to go.

pub(super) const SITE: &str = r#"
[[source]]
name = "broker"
mqtt = { url = "mqtt://127.0.0.1:1" }
[[twin]]
id = "rig-{1..2}"
type = "dtmi:geminus:example:PumpRig;1"
authority = "control"
[[bind]]
source = "broker"
topic = "rig/{twin}/{point}"
[command.class.free]
approvers = 0
[command.class.two]
approvers = 2
approve_within_s = 60
[command.class.slow]
approvers = 2
approve_within_s = 7200
[[target]]
name = "free"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/free" }
feedback = { point = "current", tolerance = 0.5, within_s = 5 }
fail = { action = "safe-value", value = 1.0 }
[target.interlock]
range = { min = 0, max = 10 }
trip = [{ name = "hot", when = "points.temperature > 90.0" }]
[[target]]
name = "also"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/also" }
feedback = { point = "current", tolerance = 0.5, within_s = 5 }
[target.interlock]
range = { min = 0, max = 10 }
[[target]]
name = "latched"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/latched" }
[target.interlock]
range = { min = 0, max = 10 }
trip = [{ name = "too hot", when = "points.temperature > 130.0", latch = true, reset = "operator" }]
[[target]]
name = "alarmed"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/alarmed" }
[target.interlock]
range = { min = 0, max = 10 }
alarms_block = ["high"]
[[target]]
name = "held"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/held" }
[target.interlock]
range = { min = 0, max = 10 }
confidence_min = 0.5
[[target]]
name = "two"
class = "two"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/two" }
[target.interlock]
range = { min = 0, max = 10 }
[[target]]
name = "slow"
class = "slow"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/slow" }
[target.interlock]
range = { min = 0, max = 10 }
[[target]]
name = "warm"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/warm" }
[target.interlock]
range = { min = 0, max = 10 }
permissive = [{ name = "not cold", when = "points.temperature > 10.0", bypass = { role = "operator", max_s = 60 } }]
[[target]]
name = "watched"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/watched" }
fail = { action = "release" }
heartbeat = { topic = "rig/{twin}/beat", every_ms = 1000 }
[target.interlock]
range = { min = 0, max = 10 }
trip = [{ name = "very hot", when = "points.temperature > 120.0" }]
"#;
