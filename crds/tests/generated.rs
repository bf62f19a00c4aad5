//! The committed YAML and the reference are what the types say. `TAFFRAIL_WRITE_CRDS=1 cargo test -p taffrail-crds` writes it anew.

use std::path::Path;

use taffrail_crds::{KINDS, Kind, reference, yaml_of};

#[test]
fn the_committed_yaml_is_what_the_types_say() {
    for Kind { file, definition } in KINDS {
        is_written(file, &yaml_of(&definition()).unwrap());
    }
}

#[test]
fn the_committed_reference_is_what_the_types_say() {
    is_written("../docs/api.md", &reference().unwrap());
}

fn is_written(file: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("TAFFRAIL_WRITE_CRDS").is_some() {
        std::fs::write(&path, wanted).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{file} is behind the types: run TAFFRAIL_WRITE_CRDS=1 cargo test -p taffrail-crds"
    );
}
