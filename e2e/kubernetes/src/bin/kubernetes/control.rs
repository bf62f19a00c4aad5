//! The control plane, and the datastore below it.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::args::Wishes;
use crate::component::Component;
use crate::network::{CONTROL, PODS, SERVICES};
use crate::state::State;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(180);

/// Words of a command line: one flag per line of a template.
fn words(program: &str, flags: &str) -> Vec<String> {
    std::iter::once(program)
        .chain(flags.split_whitespace())
        .map(str::to_owned)
        .collect()
}

fn client_url(member: u8) -> String {
    format!("http://127.0.0.1:{member}2379")
}
fn peer_url(member: u8) -> String {
    format!("http://127.0.0.1:{member}2380")
}
fn joined(members: u8, each: impl Fn(u8) -> String) -> String {
    (1..=members).map(each).collect::<Vec<_>>().join(",")
}

pub fn start_datastore(state: &State, wishes: &Wishes) -> Result<()> {
    let founders = joined(wishes.members, |member| format!("k{member}={}", peer_url(member)));
    // A copy, so that a build meanwhile does not change what is started again after a stop.
    let program = state.folder("bin")?.join("datastore");
    if !program.exists() {
        std::fs::copy(&wishes.datastore, &program)?;
    }
    for member in 1..=wishes.members {
        let (client, peer, data) = (
            client_url(member),
            peer_url(member),
            state.text(&format!("datastore/{member}")),
        );
        state.folder("datastore")?;
        let flags = format!(
            "--name=k{member} --data-dir={data} --listen-client-urls={client} --advertise-client-urls={client}
            --listen-peer-urls={peer} --initial-advertise-peer-urls={peer} --initial-cluster={founders}"
        );
        Component::new(
            &format!("datastore{member}"),
            words(&program.display().to_string(), &flags),
        )
        .start(state)?;
    }
    Ok(())
}

fn tool(wishes: &Wishes, name: &str) -> String {
    wishes.tools.join(name).display().to_string()
}

pub fn start_api(state: &State, wishes: &Wishes) -> Result<()> {
    let (pki, members) = (state.text("pki"), joined(wishes.members, client_url));
    // A node that is lost is noticed, and its pods are given up, within a minute.
    let flags = format!(
        "--etcd-servers={members} --advertise-address={CONTROL} --secure-port=6443 --service-cluster-ip-range={SERVICES}
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged
        --client-ca-file={pki}/ca.crt --tls-cert-file={pki}/apiserver.crt --tls-private-key-file={pki}/apiserver.key
        --kubelet-client-certificate={pki}/kubelet-client.crt --kubelet-client-key={pki}/kubelet-client.key
        --kubelet-preferred-address-types=InternalIP --service-account-key-file={pki}/tokens.pub
        --service-account-issuer=https://kubernetes.default.svc.cluster.local
        --service-account-signing-key-file={pki}/tokens.key
        --default-not-ready-toleration-seconds=30 --default-unreachable-toleration-seconds=30"
    );
    Component::new("apiserver", words(&tool(wishes, "kube-apiserver"), &flags)).start(state)
}

pub fn wait_for_api(state: &State, wishes: &Wishes) -> Result<()> {
    wait::until("the API server is ready: see log/apiserver.log", PATIENCE, || {
        is_ready(state, wishes)
    })
}

fn is_ready(state: &State, wishes: &Wishes) -> bool {
    let asked = kubectl(state, wishes).args(["get", "--raw", "/readyz"]).output();
    asked.is_ok_and(|output| output.stdout == b"ok")
}

pub fn kubectl(state: &State, wishes: &Wishes) -> Command {
    let mut kubectl = Command::new(tool(wishes, "kubectl"));
    kubectl.args(["--kubeconfig", &state.kubeconfig()]);
    kubectl
}

pub fn start_controllers(state: &State, wishes: &Wishes) -> Result<()> {
    let (pki, dir) = (state.text("pki"), state.dir().display());
    // With the default rate of calls it takes seconds until all controllers are in step.
    let flags = format!(
        "--kubeconfig={dir}/controller-manager.kubeconfig --leader-elect=false --kube-api-qps=500 --kube-api-burst=1000
        --use-service-account-credentials --root-ca-file={pki}/ca.crt --cluster-cidr={PODS}
        --service-account-private-key-file={pki}/tokens.key --cluster-signing-cert-file={pki}/ca.crt
        --cluster-signing-key-file={pki}/ca.key --flex-volume-plugin-dir={dir}/plugins
        --node-monitor-period=2s --node-monitor-grace-period=16s"
    );
    Component::new(
        "controller-manager",
        words(&tool(wishes, "kube-controller-manager"), &flags),
    )
    .start(state)?;
    let flags = format!("--kubeconfig={dir}/scheduler.kubeconfig --leader-elect=false");
    Component::new("scheduler", words(&tool(wishes, "kube-scheduler"), &flags)).start(state)
}

pub fn start_provisioner(state: &State) -> Result<()> {
    let own = std::env::current_exe()?.display().to_string();
    let flags = format!("--state={} provision", state.dir().display());
    Component::new("provisioner", words(&own, &flags)).start(state)
}
