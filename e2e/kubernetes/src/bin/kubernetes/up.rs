//! From nothing to a cluster that is ready.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::args::Wishes;
use crate::component::Component;
use crate::node::{Node, config};
use crate::state::State;
use crate::wait::Progress;
use crate::{addons, cgroup, control, host, images, kubeconfig, network, pki, space, wait};

const NODE_PATIENCE: Duration = Duration::from_secs(120);

/// Outside: what concerns the machine.
pub fn begin(state: &State, mut wishes: Wishes) -> Result<ExitCode> {
    ensure!(!space::is_inside(), "this is within a cluster already");
    host::check(&mut wishes)?;
    ensure!(
        space::holder(state, "cluster").is_none(),
        "a cluster is up in {}: `kubernetes down`",
        state.dir().display()
    );
    host::save_sysctls()?;
    state.keep_wishes(&wishes)?;
    state.write(
        "resolv.conf",
        &format!("nameserver {}\nsearch svc.cluster.local\n", network::DNS_SERVICE),
    )?;
    state.write("nowhere.conf", "nameserver 127.0.0.1\n")?;
    let names = format!("mount --bind {} /etc/resolv.conf", state.text("resolv.conf"));
    space::create(state, "cluster", &format!("{}/control", cgroup::name(state)), &names)?;
    let words = ["--state", &state.dir().display().to_string(), "inside"].map(str::to_owned);
    let own = std::env::current_exe()?.display().to_string();
    space::run(state, &own, &words).context("the cluster's namespaces cannot be entered")
}

/// Inside: the cluster itself.
pub fn go_on(state: &State) -> Result<ExitCode> {
    let wishes = state.wishes()?;
    let progress = Progress::start();
    let nodes: Vec<_> = (1..=wishes.nodes).map(|number| Node::of(state, number)).collect();
    network::make()?;
    pki::issue_all(state)?;
    kubeconfig::write_all(state, wishes.nodes)?;
    control::start_datastore(state, &wishes)?;
    control::start_api(state, &wishes)?;
    progress.say("datastore and API server started");
    if !wishes.only_api {
        boot_all(&nodes, &wishes, &progress)?;
    }
    control::wait_for_api(state, &wishes)?;
    progress.say("API server ready");
    if !wishes.only_api {
        join(state, &wishes, &nodes, &progress)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// At once: most of the time goes into importing images.
fn boot_all(nodes: &[Node<'_>], wishes: &Wishes, progress: &Progress) -> Result<()> {
    std::thread::scope(|scope| {
        let boots: Vec<_> = nodes
            .iter()
            .map(|node| scope.spawn(|| boot(node, wishes, progress)))
            .collect();
        let mut booted = boots.into_iter().map(|boot| boot.join());
        booted.try_for_each(|result| result.unwrap_or_else(|_| bail!("a node's boot panicked")))
    })
}

fn boot(node: &Node<'_>, wishes: &Wishes, progress: &Progress) -> Result<()> {
    node.make(wishes.nodes)?;
    node.start_containerd()?;
    for archive in images::archives(&wishes.images)? {
        node.import(&archive.display().to_string())?;
    }
    progress.say(&format!("{}: containerd ready, images imported", node.name()));
    Ok(())
}

fn join(state: &State, wishes: &Wishes, nodes: &[Node<'_>], progress: &Progress) -> Result<()> {
    control::start_controllers(state, wishes)?;
    for node in nodes {
        node.start_kubelet()?;
        node.start_proxy()?;
    }
    addons::apply(state, wishes)?;
    control::start_provisioner(state)?;
    for node in nodes {
        wait_for_node(state, wishes, &node.name())?;
        progress.say(&format!("{} Ready", node.name()));
    }
    Component::new("proxy", config::proxy_words(state, "node1", "proxy.json")?).start(state)?;
    addons::wait(state, wishes)?;
    progress.say("cluster DNS ready");
    Ok(())
}

fn wait_for_node(state: &State, wishes: &Wishes, node: &str) -> Result<()> {
    let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    wait::until(
        &format!("{node} is Ready: see log/kubelet.{node}.log"),
        NODE_PATIENCE,
        || {
            let asked = control::kubectl(state, wishes)
                .args(["get", "node", node, "-o", path])
                .output();
            asked.is_ok_and(|output| output.stdout == b"True")
        },
    )
}
