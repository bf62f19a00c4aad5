//! What the pages tell people to apply is what the types take.

use serde::Deserialize;
use taffrail_crds::{EtcdCluster, EtcdRole, EtcdUser};

const USERS: &str = include_str!("../../docs/operations/users.md");

#[test]
fn the_objects_of_the_page_on_users_are_taken() {
    let blocks = USERS
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut kinds = Vec::new();
    for document in blocks.flat_map(serde_yaml_ng::Deserializer::from_str) {
        let object = serde_yaml_ng::Value::deserialize(document).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let taken = match kind.as_str() {
            "EtcdCluster" => serde_yaml_ng::from_value::<EtcdCluster>(object).map(drop),
            "EtcdRole" => serde_yaml_ng::from_value::<EtcdRole>(object).map(drop),
            "EtcdUser" => serde_yaml_ng::from_value::<EtcdUser>(object).map(drop),
            _ => Ok(()),
        };
        taken.unwrap_or_else(|error| panic!("{kind}: {error}"));
        kinds.push(kind);
    }
    let expected = ["Secret", "EtcdCluster", "EtcdRole", "Secret", "EtcdUser", "EtcdUser"];
    assert_eq!(kinds, expected);
}
