//! Where traces go (etcd embed/config_tracing.go).

use anyhow::{Result, ensure};
use taffrail_api::TracingConfig;

use super::{number, switch};
use crate::args::Settings;

const MILLION: i64 = 1_000_000;

/// None unless it is switched on.
pub(super) fn new(settings: &Settings) -> Result<Option<TracingConfig>> {
    let rate: i64 = number(settings, "distributed-tracing-sampling-rate")?;
    if !switch(settings, "enable-distributed-tracing")? {
        return Ok(None);
    }
    ensure!(rate >= 0, "tracing sampling rate must be positive");
    ensure!(rate <= MILLION, "tracing sampling rate must be less than {MILLION}");
    Ok(Some(TracingConfig {
        address: settings.get("distributed-tracing-address").to_owned(),
        service_name: settings.get("distributed-tracing-service-name").to_owned(),
        instance_id: settings.get("distributed-tracing-instance-id").to_owned(),
        sampled_per_million: u32::try_from(rate)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracing(words: &[&str]) -> Result<Option<TracingConfig>> {
        let words = words.iter().map(|word| (*word).to_owned());
        new(&Settings::read(words, std::iter::empty()).expect("flags"))
    }

    #[test]
    fn nothing_is_traced_unless_asked_for() {
        assert_eq!(
            tracing(&["--distributed-tracing-sampling-rate=1"]).expect("valid"),
            None
        );
        let on = tracing(&["--experimental-enable-distributed-tracing"])
            .expect("valid")
            .expect("on");
        assert_eq!(
            (on.address.as_str(), on.service_name.as_str(), on.sampled_per_million),
            ("localhost:4317", "etcd", 0)
        );
    }

    #[test]
    fn a_rate_is_a_share_of_a_million() {
        for (rate, text) in [("-1", "must be positive"), ("1000001", "must be less than 1000000")] {
            let rate = format!("--distributed-tracing-sampling-rate={rate}");
            let error = tracing(&["--enable-distributed-tracing", &rate])
                .expect_err(text)
                .to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
