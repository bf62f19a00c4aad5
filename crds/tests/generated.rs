//! The committed YAML is what the types say. `TAFFRAIL_WRITE_CRDS=1 cargo test -p taffrail-crds` writes it anew.

use std::path::Path;

use taffrail_crds::{KINDS, Kind, yaml_of};

#[test]
fn the_committed_yaml_is_what_the_types_say() {
    for Kind { file, definition } in KINDS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let wanted = yaml_of(&definition()).unwrap();
        if std::env::var_os("TAFFRAIL_WRITE_CRDS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{file} is behind the types: run TAFFRAIL_WRITE_CRDS=1 cargo test -p taffrail-crds"
        );
    }
}
