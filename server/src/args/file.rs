//! The YAML config file (etcd embed/config.go): flag names as keys, security settings in two groups.

use anyhow::{Context, Result};
use serde_yaml_ng::{Mapping, Value};

use super::{FLAGS, Kind, Settings};

/// Groups whose keys become flags with a prefix.
const GROUPS: [(&str, &str); 4] = [
    ("client-transport-security", ""),
    ("peer-transport-security", "peer-"),
    ("discovery-config", "discovery-"),
    ("socket-options", "socket-"),
];

/// Keys that are spelled otherwise in a group than on the command line.
const RENAMED: [(&str, &str); 6] = [
    ("discovery-username", "discovery-user"),
    ("peer-allowed-cn", "peer-cert-allowed-cn"),
    ("peer-allowed-hostname", "peer-cert-allowed-hostname"),
    ("allowed-cn", "client-cert-allowed-cn"),
    ("allowed-hostname", "client-cert-allowed-hostname"),
    ("peer-skip-client-san-verification", "peer-skip-client-san-verification"),
];

pub(super) fn read(path: &str) -> Result<Settings> {
    parse(&std::fs::read_to_string(path)?)
}

fn parse(text: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    let root: Value = serde_yaml_ng::from_str(text).context("it is not valid YAML")?;
    let Value::Mapping(root) = root else {
        return Ok(settings);
    };
    for (key, value) in &root {
        let key = key.as_str().unwrap_or_default();
        match (GROUPS.iter().find(|(group, _)| *group == key), value) {
            (Some((_, prefix)), Value::Mapping(group)) => set_group(&mut settings, prefix, group)?,
            _ => set(&mut settings, key, value)?,
        }
    }
    Ok(settings)
}

/// Groups inside a group only tell what belongs together.
fn set_group(settings: &mut Settings, prefix: &str, group: &Mapping) -> Result<()> {
    for (key, value) in group {
        match value {
            Value::Mapping(inner) => set_group(settings, prefix, inner)?,
            _ => set(
                settings,
                &format!("{prefix}{}", key.as_str().unwrap_or_default()),
                value,
            )?,
        }
    }
    Ok(())
}

/// etcd reads its file without being strict: a key it does not know is skipped. We say so.
fn set(settings: &mut Settings, key: &str, value: &Value) -> Result<()> {
    let key = RENAMED.iter().find(|(from, _)| *from == key).map_or(key, |(_, to)| to);
    let key = key.strip_prefix("experimental-").unwrap_or(key);
    let Some(flag) = FLAGS.iter().find(|flag| flag.name == key) else {
        settings
            .warnings
            .push(format!("unknown key {key} in the config file is ignored"));
        return Ok(());
    };
    settings.set(flag, text(value, flag.kind))
}

fn text(value: &Value, kind: Kind) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(on) => on.to_string(),
        Value::Number(number) if kind == Kind::Duration => format!("{number}ns"),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Sequence(items) => items.iter().map(|item| text(item, kind)).collect::<Vec<_>>().join(","),
        Value::Mapping(_) | Value::Tagged(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Standing;
    use crate::config::Config;

    #[test]
    fn values_of_every_shape_become_text() {
        let yaml = "name: a\nsnapshot-count: 7\nunsafe-no-fsync: true\nlog-outputs: [stdout, x.log]\n\
                    watch-progress-notify-interval: 5000000000\nsocket-options:\n  reuse-port: true\n";
        let settings = parse(yaml).expect("valid");
        assert_eq!(settings.get("snapshot-count"), "7");
        assert_eq!(settings.get("unsafe-no-fsync"), "true");
        assert_eq!(settings.get("log-outputs"), "stdout,x.log");
        assert_eq!(settings.get("watch-progress-notify-interval"), "5000000000ns");
        assert_eq!(settings.get("socket-reuse-port"), "true");
    }

    #[test]
    fn transport_security_becomes_flags() {
        let yaml = "client-transport-security:\n  cert-file: /a\n  allowed-cn: [a, b]\n\
                    peer-transport-security:\n  client-cert-auth: true\n  allowed-hostname: [c]\n";
        let settings = parse(yaml).expect("valid");
        assert_eq!(settings.get("cert-file"), "/a");
        assert_eq!(settings.get("client-cert-allowed-cn"), "a,b");
        assert_eq!(settings.get("peer-client-cert-auth"), "true");
        assert_eq!(settings.get("peer-cert-allowed-hostname"), "c");
    }

    #[test]
    fn discovery_is_nested_as_in_etcd() {
        let yaml = "discovery-config:\n  token: t\n  client:\n    endpoints: [a:1, b:1]\n    dial-timeout: 1000000000\n    \
                    secure:\n      insecure-transport: false\n    auth:\n      username: u\n      password: p\n";
        let settings = parse(yaml).expect("valid");
        assert_eq!(settings.get("discovery-token"), "t");
        assert_eq!(settings.get("discovery-endpoints"), "a:1,b:1");
        assert_eq!(settings.get("discovery-dial-timeout"), "1000000000ns");
        assert_eq!(settings.get("discovery-insecure-transport"), "false");
        assert_eq!(settings.get("discovery-user"), "u");
        assert_eq!(settings.get("discovery-password"), "p");
    }

    #[test]
    fn unknown_keys_warn_and_broken_yaml_fails() {
        assert_eq!(parse("no-such: 1\n").expect("valid").warnings.len(), 1);
        assert!(parse("a: [").is_err());
        assert!(parse("").expect("empty is fine").warnings.is_empty());
    }

    #[test]
    fn every_flag_is_a_key() {
        for flag in FLAGS.iter().filter(|flag| flag.standing != Standing::Missing) {
            let (value, text) = match flag.kind {
                Kind::Switch => ("true", "true"),
                Kind::Number | Kind::Text => ("7", "7"),
                // Nanoseconds.
                Kind::Duration => ("7000000000", "7000000000ns"),
            };
            let settings = parse(&format!("{}: {value}", flag.name)).expect(flag.name);
            assert!(settings.get(flag.name) == text || flag.default == text, "{}", flag.name);
        }
    }

    /// As k3s writes it (k3s-io/k3s pkg/daemons/executor).
    #[test]
    fn the_file_of_k3s_is_understood() {
        let settings = parse(
            "name: server-1\nlisten-client-urls: https://127.0.0.1:2379,https://10.0.0.1:2379\n\
             listen-client-http-urls: https://127.0.0.1:2382\nlisten-metrics-urls: http://127.0.0.1:2381\n\
             listen-peer-urls: https://127.0.0.1:2380,https://10.0.0.1:2380\n\
             advertise-client-urls: https://10.0.0.1:2379\ndata-dir: /data\nsnapshot-count: 10000\n\
             client-transport-security:\n  cert-file: /tls/server.crt\n  key-file: /tls/server.key\n  \
             client-cert-auth: true\n  trusted-ca-file: /tls/ca.crt\n\
             peer-transport-security:\n  cert-file: /tls/peer.crt\n  key-file: /tls/peer.key\n  \
             client-cert-auth: true\n  trusted-ca-file: /tls/peer-ca.crt\n\
             heartbeat-interval: 500\nelection-timeout: 5000\nlogger: zap\nlog-outputs: [stderr]\n\
             socket-options:\n  reuse-address: true\nexperimental-initial-corrupt-check: true\n\
             experimental-watch-progress-notify-interval: 5000000000\ninitial-cluster-state: new\n\
             initial-advertise-peer-urls: https://10.0.0.1:2380\n\
             initial-cluster: server-1=https://10.0.0.1:2380\n",
        )
        .expect("valid");
        assert_eq!(settings.warnings, Vec::<String>::new());
        let config = Config::new(&settings, None).expect("a member can start with it");
        assert!(config.features.initial_corrupt_check);
        assert_eq!(config.watch_progress_interval.as_secs(), 5);
        assert_eq!(settings.get("peer-trusted-ca-file"), "/tls/peer-ca.crt");
    }
}
