//! The process as the kernel sees it (proc(5)).

/// Numbers of this process; 0 where the kernel does not tell.
#[derive(Default)]
pub(super) struct Process {
    pub cpu_s: f64,
    pub resident_bytes: f64,
    pub virtual_bytes: f64,
    pub open_fds: f64,
    pub max_fds: f64,
}

/// Clock ticks per second in /proc/self/stat; fixed by the kernel's ABI.
const TICKS_PER_S: f64 = 100.0;

impl Process {
    pub fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Process {
            cpu_s: cpu_s(&stat),
            resident_bytes: kib(&status, "VmRSS:"),
            virtual_bytes: kib(&status, "VmSize:"),
            open_fds: std::fs::read_dir("/proc/self/fd").map_or(0.0, |dir| dir.count() as f64),
            max_fds: limit(&limits),
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
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1024.0
}

fn limit(limits: &str) -> f64 {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(0.0)
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
        assert!((limit("Max open files            1024        4096     files\n") - 1024.0).abs() < f64::EPSILON);
    }
}
