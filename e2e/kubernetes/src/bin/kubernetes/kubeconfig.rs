//! How each component reaches the API server.

use anyhow::Result;
use serde_json::json;

use crate::network;
use crate::state::State;

pub fn write_all(state: &State, nodes: u8) -> Result<()> {
    for name in ["admin", "controller-manager", "scheduler", "proxy"] {
        write(state, name)?;
    }
    (1..=nodes).try_for_each(|node| write(state, &format!("kubelet.node{node}")))
}

/// JSON is YAML too.
fn write(state: &State, name: &str) -> Result<()> {
    let server = format!("https://{}:6443", network::CONTROL);
    let (cert, key) = (
        state.text(&format!("pki/{name}.crt")),
        state.text(&format!("pki/{name}.key")),
    );
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server, "certificate-authority": state.text("pki/ca.crt")}}],
        "users": [{"name": name, "user": {"client-certificate": cert, "client-key": key}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": name}}],
    });
    state.write(&format!("{name}.kubeconfig"), &serde_json::to_string_pretty(&config)?)?;
    Ok(())
}
