//! The text that `/metrics` answers with.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use prometheus::TextEncoder;
use taffrail_member::Member;

use super::{Metrics, distributions, table};
use crate::Feature;
use crate::status::member_refusal;

/// The content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    pub(crate) fn render(&self, member: &Member, features: &[Feature]) -> String {
        self.pages.under_way.fetch_add(1, Relaxed);
        self.network.look_at(member);
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
        render_refused_promotions(member, &mut text);
        render_features(features, &mut text);
        render_alarms(member, &mut text);
        distributions::render(self, member, &mut text);
        self.pages.under_way.fetch_sub(1, Relaxed);
        self.pages.answered.fetch_add(1, Relaxed);
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

/// One series for each reason that occurred; the reason is what the client was told.
fn render_refused_promotions(member: &Member, text: &mut String) {
    let name = "etcd_server_learner_promote_failures";
    let refused = member.counters().promotions_refused.get();
    if refused.is_empty() {
        return;
    }
    distributions::head(text, name, "counter");
    for (error, count) in refused {
        let reason = member_refusal(&error).map_or("etcdserver: refused", |refusal| refusal.text);
        let _ = writeln!(text, "{name}{{Reason=\"{reason}\"}} {count}");
    }
}

fn render_features(features: &[Feature], text: &mut String) {
    let name = "etcd_server_feature_enabled";
    distributions::head(text, name, "gauge");
    for Feature {
        name: gate,
        stage,
        enabled,
    } in features
    {
        let on = u8::from(*enabled);
        let _ = writeln!(text, "{name}{{name=\"{gate}\",stage=\"{stage}\"}} {on}");
    }
}

/// One series for each alarm that is raised, on whichever member.
fn render_alarms(member: &Member, text: &mut String) {
    let name = "etcd_debugging_server_alarms";
    let alarms = member.view().alarms();
    if !alarms.is_empty() {
        distributions::head(text, name, "gauge");
    }
    for alarm in alarms {
        let (kind, id) = (alarm.alarm().as_str_name(), alarm.member_id);
        let _ = writeln!(text, "{name}{{alarm_type=\"{kind}\",server_id=\"{id:x}\"}} 1");
    }
}

pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}
