//! The address space: `Objects/Geminus`, below it an object for each twin, and their type. Node ids are texts and stay what
//! they are for as long as the twin and the point do: `pump-1`, `pump-1/temperature`.

use opcua::nodes::{AccessLevel, ObjectBuilder, ObjectTypeBuilder, ReferenceDirection, VariableBuilder};
use opcua::server::address_space::AddressSpace;
use opcua::types::{
    DataTypeId, ExtensionObject, NodeId, ObjectId, ObjectTypeId, QualifiedName, ReferenceTypeId,
    VariableTypeId,
};

use super::catalogue::{Catalogue, Folder, Part, ShownTwin};
use super::units;

/// Ids of what belongs to no twin begin so; no twin's does.
const ROOT: &str = "/Geminus";
const TWIN_TYPE: &str = "/TwinType";

/// Node of each variable, in the order of their numbers.
pub(crate) type Variables = Vec<NodeId>;

/// The twin that a node belongs to; empty for what belongs to none.
pub(crate) fn twin_of(identifier: &str) -> &str {
    identifier.split('/').next().unwrap_or_default()
}

/// Fills the space with everything of the catalogue.
pub(crate) fn fill(space: &mut AddressSpace, namespace: u16, catalogue: &Catalogue) -> Variables {
    let mut filling = Filling { space, namespace, variables: Vec::with_capacity(catalogue.variables()) };
    filling.twin_type();
    let root = filling.id(ROOT);
    ObjectBuilder::new(&root, filling.name("Geminus"), "Geminus")
        .description("Digital twins of this site. Everything here can be read, and nothing written.")
        .is_folder()
        .organized_by(ObjectId::ObjectsFolder)
        .insert(filling.space);
    for twin in catalogue.twins() {
        filling.twin(&root, twin);
    }
    filling.variables
}

struct Filling<'a> {
    space: &'a mut AddressSpace,
    namespace: u16,
    variables: Variables,
}

/// A variable, but for its place in the space.
struct About<'a> {
    name: &'a str,
    description: &'a str,
    data_type: DataTypeId,
    /// UCUM code; `None` for a word.
    unit: Option<&'a str>,
}

impl Filling<'_> {
    fn id(&self, identifier: &str) -> NodeId {
        NodeId::new(self.namespace, identifier)
    }

    fn name(&self, name: &str) -> QualifiedName {
        QualifiedName::new(self.namespace, name)
    }

    /// `TwinType` with what each twin has.
    fn twin_type(&mut self) {
        let id = self.id(TWIN_TYPE);
        ObjectTypeBuilder::new(&id, self.name("TwinType"), "TwinType")
            .description("A digital twin: what of it is measured, estimated and known of its health.")
            .subtype_of(ObjectTypeId::BaseObjectType)
            .insert(self.space);
        for folder in Folder::ALL {
            let own = self.id(&format!("{TWIN_TYPE}/{}/", folder.name()));
            ObjectBuilder::new(&own, self.name(folder.name()), folder.name())
                .description(folder.description())
                .is_folder()
                .component_of(id.clone())
                .reference(
                    ObjectId::ModellingRule_Mandatory,
                    ReferenceTypeId::HasModellingRule,
                    ReferenceDirection::Forward,
                )
                .insert(self.space);
        }
    }

    fn twin(&mut self, root: &NodeId, twin: &ShownTwin) {
        let object = self.id(&twin.id);
        ObjectBuilder::new(&object, self.name(&twin.id), twin.name.as_str())
            .description(twin.layout.type_id.as_str())
            .has_type_definition(self.id(TWIN_TYPE))
            .organized_by(root.clone())
            .insert(self.space);
        let folders = Folder::ALL.map(|folder| {
            let id = self.id(&format!("{}/{}/", twin.id, folder.name()));
            ObjectBuilder::new(&id, self.name(folder.name()), folder.name())
                .description(folder.description())
                .is_folder()
                .component_of(object.clone())
                .insert(self.space);
            id
        });
        let [measured, estimated, health] = &folders;
        for point in &twin.layout.points {
            let folder = match point.folder {
                Folder::Measured => measured,
                Folder::Estimated => estimated,
                Folder::Health => health,
            };
            let about = About {
                name: &point.name,
                description: &point.description,
                data_type: DataTypeId::Double,
                unit: Some(&point.unit),
            };
            self.variable(&format!("{}/{}", twin.id, point.name), folder, &about);
        }
        for part in Part::ALL {
            let (folder, place, about) = match part {
                Part::Index => (health, "Health/index", INDEX),
                Part::Verdict => (health, "Health/verdict", VERDICT),
                Part::State => (&object, "Twin/state", STATE),
            };
            self.variable(&format!("{}/{place}", twin.id), folder, &about);
        }
        let authority = self.id(&format!("{}/Twin/authority", twin.id));
        VariableBuilder::new(&authority, self.name("authority"), "authority")
            .description("How far its behaviors may reach by the site file: observe, advise or control.")
            .data_type(DataTypeId::String)
            .has_type_definition(VariableTypeId::PropertyType)
            .property_of(object)
            .value(twin.authority)
            .insert(self.space);
    }

    /// A variable with a number of its own, and its unit.
    fn variable(&mut self, identifier: &str, parent: &NodeId, about: &About<'_>) {
        let id = self.id(identifier);
        let kind = match about.unit {
            Some(_) => VariableTypeId::AnalogUnitType,
            None => VariableTypeId::BaseDataVariableType,
        };
        VariableBuilder::new(&id, self.name(about.name), about.name)
            .description(about.description)
            .data_type(about.data_type)
            .access_level(AccessLevel::CURRENT_READ)
            .user_access_level(AccessLevel::CURRENT_READ)
            .has_type_definition(kind)
            .component_of(parent.clone())
            .insert(self.space);
        if let Some(unit) = about.unit {
            let unit_id = self.id(&format!("{identifier}/EngineeringUnits"));
            VariableBuilder::new(&unit_id, QualifiedName::new(0, "EngineeringUnits"), "EngineeringUnits")
                .data_type(DataTypeId::EUInformation)
                .has_type_definition(VariableTypeId::PropertyType)
                .property_of(id.clone())
                .value(ExtensionObject::from_message(units::information(unit)))
                .insert(self.space);
        }
        self.variables.push(id);
    }
}

const INDEX: About<'_> = About {
    name: "index",
    description: "0 (failed) … 1 (healthy), the worst of all indices of the twin; no value while nobody knows.",
    data_type: DataTypeId::Double,
    unit: Some("1"),
};
const VERDICT: About<'_> = About {
    name: "verdict",
    description: "What the index means: ok, warning, critical or unknown.",
    data_type: DataTypeId::String,
    unit: None,
};
const STATE: About<'_> = About {
    name: "state",
    description: "Whether the twin sends: waiting, live or stale.",
    data_type: DataTypeId::String,
    unit: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_twin() {
        for (identifier, twin) in [
            ("pump-1", "pump-1"),
            ("pump-1/temperature", "pump-1"),
            ("pump-1/Health/", "pump-1"),
            ("pump-1/thermal.load/EngineeringUnits", "pump-1"),
            ("/Geminus", ""),
            ("/TwinType/Health/", ""),
        ] {
            assert_eq!(twin_of(identifier), twin, "{identifier}");
        }
    }
}
