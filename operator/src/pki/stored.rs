//! What the Secret of an authority holds, and how.
//!
//! | key | what |
//! |---|---|
//! | `tls.crt`, `tls.key` | the authority that signs |
//! | `ca.crt` | everybody trusts these |
//! | `next.crt`, `next.key` | the authority that will sign, while it is only made known |
//! | `probe.crt`, `probe.key` | a leaf of it: who accepts that one, trusts it already |
//! | `step`, `since` | how far a rotation is, and since when (RFC 3339) |
//! | `rotation` | the last `caRotation` that was done or begun |

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::facts::certificates;
use super::{Flaw, Pair};

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// None is under way.
    Steady,
    /// The next authority is trusted beside the old one, which still signs.
    Bundled,
    /// The new authority signs; the old one is still trusted.
    Signed,
}

impl Step {
    pub fn word(self) -> &'static str {
        match self {
            Self::Steady => "",
            Self::Bundled => "Bundled",
            Self::Signed => "Signed",
        }
    }

    fn of(word: &str) -> Result<Self, Flaw> {
        [Self::Steady, Self::Bundled, Self::Signed]
            .into_iter()
            .find(|step| step.word() == word)
            .ok_or_else(|| Flaw::Other(format!("there is no step {word} of a rotation")))
    }
}

/// What the Secret of an authority holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its key is empty if it was lost: then nothing is signed until the next one may sign.
    pub signing: Pair,
    pub bundle: String,
    pub next: Option<Pair>,
    pub probe: Option<Pair>,
    pub step: Step,
    pub since: Option<Timestamp>,
    pub rotation: Option<String>,
}

impl Stored {
    /// # Errors
    /// If what is there cannot be an authority: it is then left alone, for a person to look at.
    pub fn from_data(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Flaw> {
        let stored = Self {
            signing: Pair {
                certificate: text(data, "tls.crt")?.unwrap_or_default(),
                key: text(data, "tls.key")?.unwrap_or_default(),
            },
            bundle: text(data, "ca.crt")?.unwrap_or_default(),
            next: pair(data, "next")?,
            probe: pair(data, "probe")?,
            step: Step::of(&text(data, "step")?.unwrap_or_default())?,
            since: text(data, "since")?.and_then(|since| since.parse().ok()),
            rotation: text(data, "rotation")?,
        };
        certificates(&stored.signing.certificate)?;
        Ok(stored)
    }

    pub fn to_data(&self) -> BTreeMap<String, Vec<u8>> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, value: &str| data.insert(key.to_owned(), value.as_bytes().to_vec());
        put("tls.crt", &self.signing.certificate);
        put("tls.key", &self.signing.key);
        put("ca.crt", &self.bundle);
        put("step", self.step.word());
        for (name, pair) in [("next", &self.next), ("probe", &self.probe)] {
            if let Some(pair) = pair {
                put(&format!("{name}.crt"), &pair.certificate);
                put(&format!("{name}.key"), &pair.key);
            }
        }
        if let Some(since) = self.since {
            put("since", &since.to_string());
        }
        if let Some(rotation) = &self.rotation {
            put("rotation", rotation);
        }
        data
    }
}

fn text(data: &BTreeMap<String, Vec<u8>>, key: &str) -> Result<Option<String>, Flaw> {
    let Some(bytes) = data.get(key).filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes.clone()).map_err(|_| Flaw::BrokenPem(format!("{key} is no text")))?;
    Ok(Some(text))
}

fn pair(data: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<Option<Pair>, Flaw> {
    let certificate = text(data, &format!("{name}.crt"))?;
    let key = text(data, &format!("{name}.key"))?;
    Ok(certificate.zip(key).map(|(certificate, key)| Pair { certificate, key }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::found;
    use crate::pki::testing::at;

    fn full() -> Stored {
        let make = || found("a", at(0), Duration::from_secs(1000)).unwrap();
        let (signing, next) = (make(), make());
        Stored {
            bundle: format!("{}{}", signing.certificate, next.certificate),
            signing,
            probe: Some(next.clone()),
            next: Some(next),
            step: Step::Bundled,
            since: Some(at(7)),
            rotation: Some("may".into()),
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let bare = Stored {
            next: None,
            probe: None,
            since: None,
            rotation: None,
            step: Step::Steady,
            ..full()
        };
        for stored in [full(), bare] {
            assert_eq!(Stored::from_data(&stored.to_data()), Ok(stored));
        }
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_never_taken_for_none() {
        for (key, value) in [("tls.crt", "rubbish"), ("tls.crt", ""), ("step", "Sideways")] {
            let mut data = full().to_data();
            data.insert(key.into(), value.into());
            assert!(Stored::from_data(&data).is_err(), "{key}");
        }
    }
}
