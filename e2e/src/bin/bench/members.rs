//! Several members of each program under the same load. CPU is that of all members together.

use std::path::Path;

use anyhow::Result;
use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests;

use crate::load::{self, Case, KEYS, MANY, VALUE};
use crate::target::Target;
use crate::{Args, Programs};

const LEADER: &str = "--target-leader";
const KEYS_IN_RANGE: usize = 1000;

const CASES: [Case; 7] = [
    Case {
        name: "put, 1 client at the leader",
        total: 5_000,
        args: &["put", VALUE, KEYS, LEADER],
    },
    Case {
        name: "put, 1000 clients at all members",
        total: 100_000,
        args: &["put", VALUE, KEYS, MANY[0], MANY[1]],
    },
    Case {
        name: "range, 1 client at the leader",
        total: 10_000,
        args: &["range", "foo", LEADER],
    },
    Case {
        name: "range, 1000 clients at all members",
        total: 100_000,
        args: &["range", "foo", MANY[0], MANY[1]],
    },
    Case {
        name: "range of 1000 keys, 10 clients",
        total: 5_000,
        args: &["range", "range/", "range0", "--clients=10", "--conns=10"],
    },
    Case {
        name: "txn-put of 10, 1000 clients at all members",
        total: 25_000,
        args: &["txn-put", "--txn-ops=10", VALUE, KEYS, MANY[0], MANY[1]],
    },
    Case {
        name: "lease keepalive, 100 clients at all members",
        total: 50_000,
        args: &["lease-keepalive", "--clients=100", "--conns=10"],
    },
];

/// Both clusters run all along, and are under load in turn.
pub async fn compare(programs: &Programs, tool: &Path, args: &Args, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let [upstream, taffrail] = &programs.0;
    let clusters = [start(upstream, args).await, start(taffrail, args).await];
    let targets = [Target::cluster(&clusters[0])?, Target::cluster(&clusters[1])?];
    load::compare_cases(&CASES, &targets, tool, args, wanted)?;
    for (target, name) in targets.iter().zip(["upstream", "taffrail"]) {
        eprintln!("{name}: {:.0} MiB resident in all members", target.rss_mib()?);
    }
    Ok(())
}

async fn start(program: &Path, args: &Args) -> Plain {
    let builder = Plain::of(args.members).program(program);
    let flags = args.flag.iter();
    let cluster = flags.fold(builder, |builder, flag| builder.arg(flag)).start().await;
    let value = vec![b'v'; 256];
    cluster.client(0).put(requests::put("foo", value.clone())).await;
    for number in 0..KEYS_IN_RANGE {
        let key = format!("range/{number:04}");
        cluster.client(0).put(requests::put(key, value.clone())).await;
    }
    cluster
}
