//! Whose an object is.

use kube::api::ObjectMeta;

/// Whether it belongs to what has this UID. What has none owns nothing.
pub fn is_owned_by(meta: &ObjectMeta, uid: Option<&str>) -> bool {
    let mut owners = meta.owner_references.iter().flatten();
    uid.is_some_and(|uid| owners.any(|owner| owner.uid == uid))
}
