//! Identities that every member computes for itself (etcd api/membership/{member,cluster}.go).

use sha1::{Digest, Sha1};

/// The first eight bytes of a hash over the sorted peer URLs and a salt: for a founder the token of its cluster, for
/// one that is added later the time in decimal seconds, so that its id never comes back.
pub fn member_id(peer_urls: &[String], salt: &str) -> u64 {
    let mut text: Vec<&str> = peer_urls.iter().map(String::as_str).collect();
    text.sort_unstable();
    text.push(salt);
    first_eight(Sha1::digest(text.concat()))
}

/// The same over all member ids in order.
pub fn cluster_id(member_ids: impl Iterator<Item = u64>) -> u64 {
    let mut ids: Vec<u64> = member_ids.collect();
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.into_iter().flat_map(u64::to_be_bytes).collect();
    first_eight(Sha1::digest(bytes))
}

fn first_eight(hash: impl AsRef<[u8]>) -> u64 {
    hash.as_ref()
        .iter()
        .take(8)
        .fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_urls_and_members_does_not_matter() {
        let (a, b) = ("http://a:1".to_owned(), "http://b:1".to_owned());
        assert_eq!(member_id(&[a.clone(), b.clone()], "t"), member_id(&[b, a], "t"));
        assert_eq!(cluster_id([1, 2].into_iter()), cluster_id([2, 1].into_iter()));
    }
}
