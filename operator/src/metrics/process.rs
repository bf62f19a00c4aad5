//! The operator as a process: which it is, whether it acts, and what it could not read.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::{counter, full, kept};

pub(super) struct Process {
    pub leads: IntGauge,
    pub unreadable: IntCounterVec,
}

impl Process {
    pub fn new(registry: &Registry) -> Self {
        let build = Opts::new(full("build_info"), "1, with the version of the operator");
        let build: IntGaugeVec = kept(registry, IntGaugeVec::new(build, &["version"]));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let leads = IntGauge::new(full("leads"), "1 if this operator is the one that acts");
        let help = "Looks at objects that this operator cannot understand and leaves alone";
        let unreadable = counter(registry, "unreadable_objects_total", help, "kind");
        // What begins with 1 has not increased, and the alert would not come before the second look.
        for kind in taffrail_crds::KINDS {
            unreadable.with_label_values(&[(kind.definition)().spec.names.kind.as_str()]);
        }
        Self {
            leads: kept(registry, leads),
            unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn an_operator_says_which_it_is_and_whether_it_acts() {
        let metrics = Metrics::default();
        let version = concat!(
            r#"taffrail_operator_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        );
        let text = metrics.text().unwrap();
        assert!(
            text.contains(version) && text.contains("taffrail_operator_leads 0"),
            "{text}"
        );
        assert!(text.contains(r#"taffrail_operator_unreadable_objects_total{kind="EtcdBackup"} 0"#));
        metrics.leads();
        metrics.unreadable("EtcdBackup");
        let text = metrics.text().unwrap();
        assert!(text.contains("taffrail_operator_leads 1"));
        assert!(text.contains(r#"taffrail_operator_unreadable_objects_total{kind="EtcdBackup"} 1"#));
    }
}
