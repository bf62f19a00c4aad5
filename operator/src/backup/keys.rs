//! Who can read a backup: keys of age (age-encryption.org/v1, X25519).

use std::path::Path;

use age::x25519::{Identity, Recipient};

use super::{Failure, Reason, places};

const SECRET_KEY: &str = "AGE-SECRET-KEY-1";

/// The secret keys in the folder of a Secret; none if there is none.
///
/// # Errors
/// If `wanted` and it is not there, or a line of it is no key.
pub fn identities(folder: &Path, wanted: bool) -> Result<Vec<Identity>, Failure> {
    let text = match wanted {
        true => places::needed(folder, "identity")?,
        false => places::text(folder, "identity")?.unwrap_or_default(),
    };
    let identities: Vec<_> = lines(&text).map(identity).collect::<Result<_, _>>()?;
    match identities.is_empty() && wanted {
        true => Err(invalid(&format!("identity needs a line that begins with {SECRET_KEY}"))),
        false => Ok(identities),
    }
}

/// Whom a backup is written for: those that are named, and the owners of the secret keys.
///
/// # Errors
/// If one of `named` is no public key.
pub fn recipients(named: &[String], identities: &[Identity]) -> Result<Vec<Recipient>, Failure> {
    let named = named.iter().map(|text| {
        let recipient: Result<Recipient, _> = text.trim().parse();
        recipient.map_err(|_| invalid(&format!("{text} is no public key of age: they begin with age1")))
    });
    named
        .chain(identities.iter().map(|identity| Ok(identity.to_public())))
        .collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn identity(line: &str) -> Result<Identity, Failure> {
    // The line is a secret: it is not repeated.
    line.parse().map_err(|_| {
        invalid(&format!(
            "identity has a line that is no key: they begin with {SECRET_KEY}"
        ))
    })
}

fn invalid(message: &str) -> Failure {
    Failure::new(Reason::Invalid, message)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_file_of_age_keygen_is_read() {
        let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let file = format!(
            "# created: today\n# public key: {}\n{}\n",
            identity.to_public(),
            identity.to_string().expose_secret()
        );
        std::fs::write(folder.path().join("identity"), file).unwrap();
        let found = identities(folder.path(), true).unwrap();
        let public: Vec<_> = recipients(&[], &found)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(public, [identity.to_public().to_string()]);
    }

    #[test]
    fn a_bad_key_is_refused_and_a_secret_one_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(identities(folder.path(), false).unwrap().len(), 0);
        assert!(identities(folder.path(), true).err().unwrap().hopeless);
        std::fs::write(folder.path().join("identity"), "AGE-SECRET-KEY-1WRONG").unwrap();
        let failure = identities(folder.path(), false).err().unwrap();
        assert!(!failure.message.contains("WRONG"), "{failure}");
        assert!(recipients(&["age1x".into()], &[]).is_err());
    }
}
