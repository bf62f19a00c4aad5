//! Which trace a call is part of (W3C Trace Context), and which traces are sampled.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::HeaderMap;

/// What a client says of the trace its call is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub trace_id: u128,
    pub span_id: u64,
    pub sampled: bool,
}

impl Context {
    /// None if the client traces nothing, or says so in a way we do not understand.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        Context::parse(headers.get("traceparent")?.to_str().ok()?)
    }

    /// `version-trace-span-flags` in lower hexadecimal. A newer version may say more at the end.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| parts.next().filter(|part| is_hex(part, digits));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let context = Context {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A trace is sampled as its beginning was; what begins here, by its id.
pub(super) struct Sampler {
    /// Of 2^63.
    below: u64,
}

const MILLION: u128 = 1_000_000;

impl Sampler {
    pub fn new(sampled_per_million: u32) -> Self {
        let below = (u128::from(sampled_per_million) << 63) / MILLION;
        Sampler {
            below: u64::try_from(below).unwrap_or(u64::MAX),
        }
    }

    pub fn takes(&self, parent: Option<&Context>, trace_id: u128) -> bool {
        match parent {
            Some(parent) => parent.sampled,
            None => (trace_id as u64) >> 1 < self.below,
        }
    }
}

/// Ids that nobody else draws: a random start, then a generator that visits every number once (splitmix64).
pub(super) struct Ids(AtomicU64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Ids {
    pub fn new() -> Self {
        // Without randomness ids are only as unique as a clock is.
        let seed = getrandom::u64().unwrap_or_else(|_| super::span::unix_nanos());
        Ids(AtomicU64::new(seed))
    }

    /// Never 0, which would mean none.
    pub fn span(&self) -> u64 {
        let mut mixed = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).max(1)
    }

    pub fn trace(&self) -> u128 {
        (u128::from(self.span()) << 64) | u128::from(self.span())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_understood_or_not_heeded() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = Context::parse(text).expect("the example of the specification");
        assert_eq!(context.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((context.span_id, context.sampled), (0x00f0_67aa_0ba9_02b7, true));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(Context::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_share_of_new_traces_is_sampled_and_all_of_a_sampled_client() {
        let (none, tenth, all) = (Sampler::new(0), Sampler::new(100_000), Sampler::new(1_000_000));
        let ids = Ids::new();
        let drawn: Vec<u128> = (0..10_000).map(|_| ids.trace()).collect();
        let taken = |sampler: &Sampler| drawn.iter().filter(|id| sampler.takes(None, **id)).count();
        assert_eq!((taken(&none), taken(&all)), (0, 10_000));
        assert!((800..1_200).contains(&taken(&tenth)), "{}", taken(&tenth));
        let parent = |sampled| Context {
            trace_id: 1,
            span_id: 1,
            sampled,
        };
        assert!(none.takes(Some(&parent(true)), 1));
        assert!(!all.takes(Some(&parent(false)), 1));
    }
}
