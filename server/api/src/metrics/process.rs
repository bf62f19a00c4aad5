//! The process as the kernel sees it (proc(5)).

/// Numbers of this process; 0 where the kernel does not tell.
#[derive(Default)]
pub(crate) struct Process {
    pub cpu_s: f64,
    pub resident_bytes: f64,
    pub virtual_bytes: f64,
    pub open_fds: f64,
    pub max_fds: f64,
    pub virtual_max_bytes: f64,
    pub threads: f64,
    /// Over every interface that the process sees.
    pub received_bytes: f64,
    pub sent_bytes: f64,
}

/// Clock ticks per second in /proc/self/stat; fixed by the kernel's ABI.
const TICKS_PER_S: f64 = 100.0;

impl Process {
    pub fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let (received_bytes, sent_bytes) = traffic(&std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default());
        Process {
            cpu_s: cpu_s(&stat),
            resident_bytes: kib(&status, "VmRSS:"),
            virtual_bytes: kib(&status, "VmSize:"),
            open_fds: std::fs::read_dir("/proc/self/fd").map_or(0.0, |dir| dir.count() as f64),
            max_fds: limit(&limits, "Max open files").unwrap_or(0.0),
            virtual_max_bytes: limit(&limits, "Max address space").unwrap_or(u64::MAX as f64),
            threads: number(&status, "Threads:"),
            received_bytes,
            sent_bytes,
        }
    }
}

/// User and system time: fields 14 and 15, counted behind the command's closing bracket.
fn cpu_s(stat: &str) -> f64 {
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_PER_S
}

fn kib(status: &str, name: &str) -> f64 {
    number(status, name) * 1024.0
}

fn number(status: &str, name: &str) -> f64 {
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(0.0)
}

/// The soft limit; none if there is none.
fn limit(limits: &str, name: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    line?.split_whitespace().next()?.parse().ok()
}

/// Bytes received and sent: the first and the ninth number behind each interface's name.
fn traffic(devices: &str) -> (f64, f64) {
    let (mut received, mut sent) = (0.0, 0.0);
    for (_, numbers) in devices.lines().filter_map(|line| line.split_once(':')) {
        let number = |place| numbers.split_whitespace().nth(place)?.parse::<f64>().ok();
        received += number(0).unwrap_or(0.0);
        sent += number(8).unwrap_or(0.0);
    }
    (received, sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_command_name() {
        let stat = "1 (a b) c) S 0 0 0 0 0 0 0 0 0 0 150 50 0 0";
        assert!((cpu_s(stat) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn sizes_and_limits_are_parsed() {
        assert!((kib("VmSize:\t 8 kB\nVmRSS:\t   4 kB\n", "VmRSS:") - 4096.0).abs() < f64::EPSILON);
        let limits = "Max open files  1024  4096  files\nMax address space  unlimited  unlimited  bytes\n";
        assert_eq!(limit(limits, "Max open files"), Some(1024.0));
        assert_eq!(limit(limits, "Max address space"), None);
    }

    #[test]
    fn traffic_is_added_up_over_interfaces() {
        let devices = "Inter-|   Receive |  Transmit\n face |bytes packets|bytes\n    lo: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n  \
                       eth0:10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n";
        assert_eq!(traffic(devices), (15.0, 27.0));
    }
}
