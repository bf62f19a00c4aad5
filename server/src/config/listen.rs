//! Where to listen, and what to tell others about it.

use anyhow::{Context, Result, ensure};

use super::place::{Place, places, split};
use super::tls::{Security, TlsConfig};
use super::url::Url;
use crate::args::Settings;

#[derive(Debug, Clone, Default)]
pub struct Listen {
    pub client: Vec<Place>,
    pub peer: Vec<Place>,
    /// Where HTTP has ports of its own; then the client addresses speak gRPC alone.
    pub client_http: Vec<Place>,
    pub metrics: Vec<Place>,
    /// Hosts that made certificates of the client and the peer ports are for.
    pub client_hosts: Vec<String>,
    pub peer_hosts: Vec<String>,
    /// Things to tell once there is a log.
    pub warnings: Vec<String>,
}

impl Listen {
    /// # Errors
    /// A URL that cannot be listened on, or not securely for lack of a certificate.
    pub fn new(settings: &Settings, tls: &TlsConfig) -> Result<Self> {
        let mut listen = Listen {
            client: places(settings, "listen-client-urls")?,
            peer: places(settings, "listen-peer-urls")?,
            client_http: places(settings, "listen-client-http-urls")?,
            metrics: places(settings, "listen-metrics-urls")?,
            client_hosts: hosts(settings, &["listen-client-urls", "listen-client-http-urls"]),
            peer_hosts: hosts(settings, &["listen-peer-urls"]),
            warnings: Vec::new(),
        };
        listen.check_shared(settings)?;
        for name in ["listen-client-urls", "listen-client-http-urls"] {
            listen.check_client(settings.get(name), &tls.client)?;
        }
        listen.check_metrics(&tls.client)?;
        listen.check_peer(settings.get("listen-peer-urls"), &tls.peer)?;
        Ok(listen)
    }

    fn check_shared(&self, settings: &Settings) -> Result<()> {
        let shared = |place: &Place| self.client.iter().any(|client| client.address == place.address);
        ensure!(
            !self.client_http.iter().any(shared),
            "cannot bind both --listen-client-urls and --listen-client-http-urls on the same url {}",
            settings.get("listen-client-http-urls")
        );
        Ok(())
    }

    fn check_client(&mut self, urls: &str, security: &Security) -> Result<()> {
        for url in split(urls) {
            ensure!(
                !is_secure(url) || has_certificate(security),
                "TLS key/cert (--cert-file, --key-file) must be provided for client url {url} with HTTPS scheme"
            );
            self.warn_plain(url, security, "http or unix", "--client-cert-auth");
        }
        Ok(())
    }

    fn check_peer(&mut self, urls: &str, security: &Security) -> Result<()> {
        for url in split(urls) {
            ensure!(
                !is_secure(url) || has_certificate(security),
                "cannot listen on TLS for {url}: KeyFile and CertFile are not presented"
            );
            self.warn_plain(url, security, "HTTP", "--peer-client-cert-auth");
        }
        Ok(())
    }

    fn check_metrics(&self, security: &Security) -> Result<()> {
        ensure!(
            has_certificate(security) || !self.metrics.iter().any(|place| place.secure),
            "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url"
        );
        Ok(())
    }

    /// etcd serves a plain URL as it is asked to, and says what that leaves out.
    fn warn_plain(&mut self, url: &str, security: &Security, scheme: &str, demand: &str) {
        if is_secure(url) {
            return;
        }
        if has_certificate(security) {
            self.warnings.push(format!(
                "scheme is {scheme} while key and cert files are present; ignoring key and cert files: {url}"
            ));
        }
        if security.cert_auth {
            self.warnings.push(format!(
                "scheme is {scheme} while {demand} is enabled; ignoring client cert auth for this URL: {url}"
            ));
        }
    }
}

fn has_certificate(security: &Security) -> bool {
    security.own.is_some() || security.auto
}

fn is_secure(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("unixs://")
}

/// URLs that others are told, checked for their form only.
pub fn advertised(settings: &Settings, name: &str) -> Result<Vec<String>> {
    let urls: Vec<String> = split(settings.get(name)).map(str::to_owned).collect();
    ensure!(!urls.is_empty(), "--{name} must not be empty");
    for url in &urls {
        Url::parse(url).with_context(|| format!("--{name}={url}"))?;
    }
    Ok(urls)
}

fn hosts(settings: &Settings, names: &[&str]) -> Vec<String> {
    let urls = names.iter().flat_map(|name| split(settings.get(name)));
    let hosts = urls.filter_map(|url| Url::parse(url).ok()?.host().map(str::to_owned));
    hosts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(words: &[&str]) -> Result<Listen> {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty())?;
        Listen::new(&settings, &TlsConfig::new(&settings)?)
    }

    const CERTIFICATE: [&str; 2] = ["--cert-file=c", "--key-file=k"];

    #[test]
    fn one_address_may_speak_both_languages() {
        let both = "--listen-client-urls=http://127.0.0.1:1,https://127.0.0.1:1,unix://socket";
        let listen = listen(&[&[both][..], &CERTIFICATE].concat()).expect("valid");
        let spoken: Vec<_> = listen.client.iter().map(|place| (place.plain, place.secure)).collect();
        assert_eq!(spoken, [(true, true), (true, false)]);
        assert_eq!(
            listen.warnings.len(),
            2,
            "peers have no certificate: {:?}",
            listen.warnings
        );
        assert_eq!(listen.client_hosts, ["127.0.0.1", "127.0.0.1"]);
    }

    #[test]
    fn secure_places_need_a_certificate() {
        for (word, text) in [
            (
                "--listen-client-urls=https://127.0.0.1:1",
                "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1 with HTTPS",
            ),
            (
                "--listen-metrics-urls=https://127.0.0.1:1",
                "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
            ),
            (
                "--listen-peer-urls=https://127.0.0.1:1",
                "cannot listen on TLS for https://127.0.0.1:1",
            ),
        ] {
            let error = format!("{:#}", listen(&[word]).expect_err(text));
            assert!(error.contains(text), "{error}");
        }
        assert!(listen(&["--listen-client-urls=https://127.0.0.1:1", "--auto-tls"]).is_ok());
    }

    #[test]
    fn gateway_and_grpc_do_not_share_an_address() {
        let words = [
            "--listen-client-urls=http://127.0.0.1:1",
            "--listen-client-http-urls=http://127.0.0.1:1",
        ];
        assert!(listen(&words).is_err());
        assert!(listen(&["--listen-client-urls=unix://a,unixs://a", "--auto-tls"]).is_err());
    }
}
