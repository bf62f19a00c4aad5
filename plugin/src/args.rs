//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::target::TargetFlags;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; without --wait: asked for
  1  it was tried and failed
  2  the command line or the object asked for is wrong
  3  something that is named is not there, or the kinds are not installed
  4  no right to do it
  5  the API server or a member does not answer
  6  --timeout is over; what was asked for goes on";

/// EtcdClusters at a glance, and what people ask of them.
#[derive(Parser, Debug)]
#[command(name = "kubectl-taffrail", bin_name = "kubectl taffrail", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    pub at: At,
    #[command(subcommand)]
    pub command: Command,
}

/// Which Kubernetes, which namespace.
#[derive(Args, Clone, Debug, Default)]
pub struct At {
    /// Namespace. Default: that of the context.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig. Default: its current one.
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// File with connections. Default: KUBECONFIG, then ~/.kube/config, then the pod this runs in.
    #[arg(long, global = true)]
    pub kubeconfig: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Members, conditions, certificates and backups at a glance, as the operator last saw them.
    Status(Status),
    /// Makes an EtcdBackup of a cluster.
    Backup(Box<Backup>),
    /// Makes a new EtcdCluster that begins with a backup's data. One that is there is never touched.
    Restore(Restore),
    /// Takes a living cluster back to a backup: all later writes are lost, the old volumes are kept aside.
    RollBack(RollBack),
    /// Makes an EtcdDefragmentation of a cluster: members give free space back, one at a time.
    Defragment(Defragment),
    /// Moves leadership to another member, through the API server's port-forward to the leader's pod.
    MoveLeader(MoveLeader),
    /// Prints the logs of a cluster's members, each line with the member's name in front.
    Logs(Logs),
    /// Packs objects, events and logs of a cluster and its operator for support, without Secrets.
    Report(Report),
}

#[derive(Args, Debug)]
pub struct Status {
    /// An EtcdCluster. Default: all of the namespace, one line each.
    pub cluster: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "cluster")]
    pub all_namespaces: bool,
    /// Ask the members themselves too: revisions, sizes, alarms. Needs the right to forward ports and to read the
    /// Secret with the client certificate.
    #[arg(long, requires = "cluster")]
    pub live: bool,
    /// Secret with the client certificate for --live. Default: the cluster's own.
    #[arg(long, requires = "live")]
    pub secret: Option<String>,
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// Whether to stay until it is done.
#[derive(Args, Clone, Debug)]
pub struct Wait {
    /// Follow it to its end; the exit code tells how it ended.
    #[arg(short, long)]
    pub wait: bool,
    /// How long to follow: 90s, 10m, 2h.
    #[arg(long, default_value = "1h", value_parser = duration, requires = "wait")]
    pub timeout: Duration,
}

#[derive(Args, Debug)]
pub struct Backup {
    pub cluster: String,
    /// Name of the EtcdBackup. Default: the cluster's with the time.
    #[arg(long)]
    pub name: Option<String>,
    /// Where and how this EtcdBackupSchedule does it. Default, without a target: the cluster's only schedule.
    #[arg(long, conflicts_with = "target")]
    pub schedule: Option<String>,
    #[command(flatten)]
    pub target: TargetFlags,
    /// Restore it into a throw-away member at once, and compare.
    #[arg(long)]
    pub verify: bool,
    /// Print the object instead of making it.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Args, Debug)]
#[group(id = "from", required = true, multiple = false, args = ["from_backup", "from_schedule"])]
pub struct Restore {
    /// Name of the new EtcdCluster.
    pub new_cluster: String,
    /// An EtcdBackup of the namespace.
    #[arg(long)]
    pub from_backup: Option<String>,
    /// The newest good backup of an EtcdBackupSchedule of the namespace.
    #[arg(long)]
    pub from_schedule: Option<String>,
    /// Declare it as this EtcdCluster is declared.
    #[arg(long)]
    pub like: Option<String>,
    /// Members. Default: those of --like, or 3.
    #[arg(long)]
    pub replicas: Option<i32>,
    /// Size of each volume. Default: that of --like, or 8Gi.
    #[arg(long)]
    pub size: Option<String>,
    /// Print the object instead of making it.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Args, Debug)]
pub struct RollBack {
    pub cluster: String,
    /// The EtcdBackup to go back to.
    #[arg(long, value_name = "BACKUP")]
    pub to: String,
    /// The cluster's name again: everything written after the backup is lost.
    #[arg(long, value_name = "CLUSTER")]
    pub accept_data_loss: String,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Args, Debug)]
pub struct Defragment {
    pub cluster: String,
    /// Name of the EtcdDefragmentation. Default: the cluster's with the time.
    #[arg(long)]
    pub name: Option<String>,
    /// Leave members out that have fewer free bytes: 256Mi.
    #[arg(long)]
    pub min_free_bytes: Option<String>,
    /// Leave members out of whose allocated bytes fewer percent are free.
    #[arg(long)]
    pub min_free_percent: Option<i32>,
    /// Print the object instead of making it.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Args, Debug)]
pub struct MoveLeader {
    pub cluster: String,
    /// The member that shall lead. Default: a healthy voter.
    #[arg(long, value_name = "MEMBER")]
    pub to: Option<String>,
    /// Secret with `ca.crt`, `tls.crt`, `tls.key`. Default: the cluster's client Secret, or the operator's where
    /// authentication is on.
    #[arg(long)]
    pub secret: Option<String>,
}

#[derive(Args, Debug)]
pub struct Logs {
    pub cluster: String,
    /// Default: every member.
    pub member: Option<String>,
    /// Go on as lines come.
    #[arg(short, long)]
    pub follow: bool,
    /// Lines younger than this: 90s, 10m, 2h.
    #[arg(long, value_parser = duration)]
    pub since: Option<Duration>,
    /// Lines per member to begin with. Default: all.
    #[arg(long)]
    pub tail: Option<i64>,
    /// The container before the last restart.
    #[arg(short, long, conflicts_with = "follow")]
    pub previous: bool,
}

#[derive(Args, Debug)]
pub struct Report {
    pub cluster: String,
    /// Default: taffrail-report-CLUSTER-TIME.tar.gz in the current folder. It must not be there yet.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the operator runs. Default: its pods are looked for in all namespaces.
    #[arg(long)]
    pub operator_namespace: Option<String>,
    /// Most bytes of one container's log, the newest.
    #[arg(long, default_value_t = 8 << 20, value_parser = clap::value_parser!(u64).range(1024..=1 << 28))]
    pub log_bytes_max: u64,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let duration = Duration::try_from(span).map_err(|_| "must not be negative".to_owned())?;
    if duration.is_zero() {
        return Err("must not be zero".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
        for good in [
            "k status",
            "k -n a status demo --live -o json",
            "k backup demo --schedule nightly --wait --timeout 10m",
            "k backup demo --s3-bucket b --credentials keys --verify",
            "k restore two --from-schedule nightly --like demo",
            "k roll-back demo --to b --accept-data-loss demo",
            "k logs demo -f --since 10m",
        ] {
            parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for bad in [
            "k status demo -A",
            "k status --live",
            "k backup demo --schedule s --s3-bucket b",
            "k backup demo --s3-bucket b --volume v",
            "k backup demo --timeout 10m",
            "k restore two",
            "k restore two --from-backup b --from-schedule s",
            "k roll-back demo --to b",
            "k logs demo --since 0s",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
