//! What plain HTTP may ask for, and who may ask.

use anyhow::{Result, ensure};
use taffrail_api::{Allowed, HttpConfig};

use super::switch;
use crate::args::Settings;

pub(super) fn new(settings: &Settings) -> Result<HttpConfig> {
    Ok(HttpConfig {
        gateway: switch(settings, "enable-grpc-gateway")?,
        profiles: profiles(settings)?,
        origins: origins(settings.get("cors"))?,
        hosts: Allowed::new(split(settings.get("host-whitelist"))),
    })
}

/// As in etcd, who debugs profiles too.
fn profiles(settings: &Settings) -> Result<bool> {
    Ok(switch(settings, "enable-pprof")? || settings.get("log-level") == "debug")
}

/// Origins are URLs without a path, as browsers send them.
fn origins(text: &str) -> Result<Allowed> {
    let origins = split(text);
    for origin in origins.iter().filter(|origin| *origin != "*") {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let named = !host.is_empty() && !host.contains('/');
        ensure!(
            named,
            "--cors={text}: {origin} is not an origin such as https://example.com"
        );
    }
    Ok(Allowed::new(origins))
}

fn split(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(words: &[&str]) -> HttpConfig {
        let words = words.iter().map(|word| (*word).to_owned());
        new(&Settings::read(words, std::iter::empty()).expect("flags")).expect("valid")
    }

    #[test]
    fn everyone_may_come_in_unless_told_otherwise() {
        let open = http(&[]);
        assert!(open.gateway);
        assert_eq!((open.origins, open.hosts), (Allowed::Everyone, Allowed::Everyone));
        let closed = http(&[
            "--enable-grpc-gateway=false",
            "--cors=https://a.example, http://b.example:8080",
            "--host-whitelist=c.example",
        ]);
        assert!(!closed.gateway);
        let these = |names: &[&str]| Allowed::These(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(closed.origins, these(&["https://a.example", "http://b.example:8080"]));
        assert_eq!(closed.hosts, these(&["c.example"]));
    }
}
