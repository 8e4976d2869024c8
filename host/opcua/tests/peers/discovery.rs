//! What a server has, as a part of a site.

use geminus_core::{Clock as _, SystemClock};
use geminus_opcua::NodeAddress;
use geminus_opcua::discover::{self, Bounds};
use geminus_tests::OpcUaPeer;

use crate::rig::{Place, TYPES, options};

#[test]
fn what_a_server_has_becomes_a_part_of_a_site() -> anyhow::Result<()> {
    for peer in [OpcUaPeer::Asyncua, OpcUaPeer::NodeOpcua] {
        let place = Place::new()?;
        let _server = place.server(peer)?;
        let options = options(place.port, &place.host());
        let under: NodeAddress = "nsu=urn:geminus:test;s=pump-1".parse()?;
        let now = SystemClock::new().now();
        let look = |under, bounds| place.runtime.block_on(discover::discover(&options, under, bounds, now));
        let all = look(None, Bounds::default())?;
        let text = all.to_toml("plc", "endpoint = \"opc.tcp://x\"");
        assert!(text.contains("topic = \"nsu=urn:geminus:test;s=pump-1.{point}\""), "{peer:?}: {text}");
        assert!(text.contains("array of Double): no point can hold it"), "{peer:?}: {text}");
        let pump = look(Some(&under), Bounds::default())?;
        assert_eq!(pump.variables.len(), TYPES.len() + 4, "{peer:?}: {:#?}", pump.variables);
        let cut = look(None, Bounds { nodes_max: 5, depth_max: 9 })?;
        assert!(cut.cut && cut.variables.len() <= 5, "{peer:?}");
    }
    Ok(())
}
