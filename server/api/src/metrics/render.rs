//! The text that `/metrics` answers with.

use std::fmt::Write;

use prometheus::TextEncoder;
use taffrail_member::Member;

use super::{Metrics, table};

/// The content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    pub(crate) fn render(&self, member: &Member) -> String {
        let mut text = TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default();
        self.grpc.render(&mut text);
        for (name, kind, value) in table::rows(self, member) {
            // Writing into a string cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {}\n# TYPE {name} {kind}\n{name} {value}\n",
                words(name)
            );
        }
        self.render_labelled(member, &mut text);
        text
    }

    /// Facts that Prometheus sees as labels of a constant.
    fn render_labelled(&self, member: &Member, text: &mut String) {
        let config = member.config();
        let cluster = member.view().cluster_version().unwrap_or_default();
        let minor = cluster.rsplit_once('.').map_or("", |(minor, _)| minor);
        let id = format!("{:x}", config.member_id);
        for (name, label, value) in [
            ("etcd_server_version", "server_version", config.version.as_str()),
            ("etcd_cluster_version", "cluster_version", minor),
            ("etcd_server_id", "server_id", &id),
            ("etcd_server_go_version", "server_go_version", "none"),
            ("taffrail_build_info", "version", env!("CARGO_PKG_VERSION")),
        ] {
            let help = words(name);
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{label}=\"{value}\"}} 1\n"
            );
        }
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}
