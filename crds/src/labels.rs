//! Labels and annotations of everything that belongs to a cluster.

/// Who made it: on every object of the operator.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGER: &str = "taffrail-operator";
/// What it is: `etcd`.
pub const APP: &str = "app.kubernetes.io/name";
/// The EtcdCluster it belongs to.
pub const CLUSTER: &str = "etcd.taffrail.dev/cluster";
/// UID of that EtcdCluster: what a namesake before it left behind is never taken for its own.
pub const CLUSTER_UID: &str = "etcd.taffrail.dev/cluster-uid";
/// The EtcdMember it belongs to.
pub const MEMBER: &str = "etcd.taffrail.dev/member";
/// `voter` or `learner`, on pods: a disruption budget counts voters only.
pub const ROLE: &str = "etcd.taffrail.dev/role";
/// What a pod was rendered from; another hash means that it must be replaced.
pub const POD_HASH: &str = "etcd.taffrail.dev/pod-hash";
/// On an EtcdMember: replace it by a new one. The value is the reason that is shown.
pub const REPLACE: &str = "etcd.taffrail.dev/replace";
/// On an EtcdCluster without quorum: the member whose data the cluster shall go on with.
pub const RECOVER_FROM: &str = "etcd.taffrail.dev/recover-from";
/// On a living EtcdCluster: the EtcdBackup that it shall go back to.
pub const ROLL_BACK_TO: &str = "etcd.taffrail.dev/roll-back-to";
/// Beside [`RECOVER_FROM`] or [`ROLL_BACK_TO`]: writes that only the others had are lost. The value is the cluster's name.
pub const ACCEPT_DATA_LOSS: &str = "etcd.taffrail.dev/accept-data-loss";
/// On a volume claim that is kept for people and never mounted again: why.
pub const KEPT: &str = "etcd.taffrail.dev/kept";
/// On an EtcdBackup: the EtcdBackupSchedule that made it.
pub const SCHEDULE: &str = "etcd.taffrail.dev/schedule";
/// On Jobs and their pods: UID of the EtcdBackup or EtcdBackupSchedule that they work for.
pub const WORK_OF: &str = "etcd.taffrail.dev/work-of";
/// Beside [`WORK_OF`]: take, verify or prune.
pub const WORK: &str = "etcd.taffrail.dev/work";
/// Beside [`WORK_OF`]: the first Job of its kind is 1; the next is made only if nobody heard how the one before ended.
pub const ROUND: &str = "etcd.taffrail.dev/round";
/// On an EtcdDefragmentation that nobody asked for: `policy` or `nospace`.
pub const CAUSE: &str = "etcd.taffrail.dev/cause";
/// On an EtcdUser or EtcdRole: `true` lets it take over a user or role that is in etcd already and nobody keeps.
pub const ADOPT: &str = "etcd.taffrail.dev/adopt";
