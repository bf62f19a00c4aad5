//! Where a pod finds what it needs besides its request: files of Secrets and a volume.

use std::path::{Path, PathBuf};

use super::request::{CLIENT, CREDENTIALS, IDENTITY, ROOT, TARGET_VOLUME};
use super::{Failure, Reason};
use crate::etcd::{Access, ClientTls};

/// No file of a Secret is larger.
const SECRET_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug)]
pub struct Places {
    pub credentials: PathBuf,
    pub identity: PathBuf,
    pub client: PathBuf,
    pub root: PathBuf,
    pub volume: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            credentials: CREDENTIALS.into(),
            identity: IDENTITY.into(),
            client: CLIENT.into(),
            root: ROOT.into(),
            volume: TARGET_VOLUME.into(),
        }
    }
}

impl Places {
    /// Everything below one folder, for tests.
    pub fn below(root: &Path) -> Self {
        Self {
            credentials: root.join("credentials"),
            identity: root.join("identity"),
            client: root.join("client"),
            root: root.join("root"),
            volume: root.join("backups"),
        }
    }

    /// How to get in at members with such a URL.
    pub fn access(&self, url: &str) -> Result<Access, Failure> {
        let tls = match url.starts_with("https://") {
            true => Some(self.tls()?),
            false => None,
        };
        let user = match (text(&self.root, "username")?, text(&self.root, "password")?) {
            (Some(name), Some(password)) => Some((name, password)),
            _ => None,
        };
        Ok(Access { tls, user })
    }

    fn tls(&self) -> Result<ClientTls, Failure> {
        Ok(ClientTls {
            authorities: needed(&self.client, "ca.crt")?,
            certificate: needed(&self.client, "tls.crt")?,
            key: needed(&self.client, "tls.key")?,
        })
    }
}

/// What is in a file of a Secret without white space around it; None if it is not there or empty.
///
/// # Errors
/// If it cannot be read, is too large or no text.
pub fn text(folder: &Path, name: &str) -> Result<Option<String>, Failure> {
    let path = folder.join(name);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.len() > SECRET_BYTES_MAX => Err(Failure::new(
            Reason::Invalid,
            format!("{} is larger than a Secret can be", path.display()),
        )),
        Ok(_) => {
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::disk(&path, &error))?;
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::disk(&path, &error)),
    }
}

/// A file that must be there.
pub fn needed(folder: &Path, name: &str) -> Result<String, Failure> {
    text(folder, name)?.ok_or_else(|| {
        let path = folder.join(name);
        Failure::new(
            Reason::Invalid,
            format!("{} is missing: the Secret needs the key {name}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_of_a_secret_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        assert!(places.access("http://127.0.0.1:2379").unwrap() == Access::default());
        let failure = places.access("https://member:2379").err().unwrap();
        assert_eq!(failure.reason, Reason::Invalid);
        assert!(failure.message.contains("ca.crt"), "{failure}");
    }

    #[test]
    fn root_is_used_when_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        std::fs::create_dir_all(&places.root).unwrap();
        std::fs::write(places.root.join("username"), "root\n").unwrap();
        std::fs::write(places.root.join("password"), "secret").unwrap();
        let user = places.access("http://member:2379").unwrap().user;
        assert_eq!(user, Some(("root".into(), "secret".into())));
    }
}
