//! Under which name: the wanted one, or the next if something is there. What an earlier attempt finished is found again.

use sha2::{Digest, Sha256};
use taffrail_crds::Artifact;

use crate::backup::manifest::{MANIFEST_BYTES_MAX, Manifest, hex};
use crate::backup::request::Origin;
use crate::backup::store::Store;
use crate::backup::{Failure, Reason};

/// Attempts whose objects may lie there without a manifest.
const NAMES_MAX: usize = 32;

pub enum Name {
    Free(String),
    /// An earlier attempt was done, and nobody heard of it.
    Taken(Box<Artifact>),
}

enum Found {
    Nothing,
    Ours(Box<Artifact>),
    SomethingElse,
}

/// # Errors
/// If the store cannot tell, or all names are taken.
pub async fn free(store: &Store, wanted: &str, ending: &str, origin: &Origin) -> Result<Name, Failure> {
    store
        .probe(wanted.rsplit_once('/').map_or("", |(folder, _)| folder))
        .await?;
    let mut free = None;
    for number in 1..=NAMES_MAX {
        let key = match number {
            1 => format!("{wanted}{ending}"),
            number => format!("{wanted}-{number}{ending}"),
        };
        match look(store, &key, origin).await? {
            Found::Ours(artifact) => return Ok(Name::Taken(artifact)),
            Found::SomethingElse => {}
            Found::Nothing => {
                free = Some(key);
                break;
            }
        }
    }
    free.map(Name::Free).ok_or_else(|| {
        let message = format!(
            "{} and {NAMES_MAX} names after it are taken: clear them away",
            store.uri_of(wanted)
        );
        Failure::new(Reason::Exists, message)
    })
}

async fn look(store: &Store, key: &str, origin: &Origin) -> Result<Found, Failure> {
    let Some(text) = store.read_small(&Manifest::key_of(key), MANIFEST_BYTES_MAX).await? else {
        let object = store.size(key).await?;
        return Ok(object.map_or(Found::Nothing, |_| Found::SomethingElse));
    };
    match Manifest::decode(&text) {
        Ok(manifest)
            if manifest.origin.backup_uid == origin.backup_uid && is_whole(store, &manifest.artifact).await? =>
        {
            Ok(Found::Ours(Box::new(manifest.artifact)))
        }
        _ => Ok(Found::SomethingElse),
    }
}

/// The object is read once: what is reported as a backup is one.
async fn is_whole(store: &Store, artifact: &Artifact) -> Result<bool, Failure> {
    let size = store.size(&artifact.key).await?;
    if size.is_none() || size != u64::try_from(artifact.size_bytes).ok() {
        return Ok(false);
    }
    let (mut digest, mut download) = (Sha256::new(), store.download(&artifact.key).await?);
    while let Some(piece) = download.next().await? {
        digest.update(&piece);
    }
    Ok(hex(digest.finalize().as_slice()) == artifact.sha256)
}
