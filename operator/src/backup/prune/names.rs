//! Names of objects as schedules make them: `NAMESPACE/CLUSTER/SCHEDULE/TIMESTAMP-UID8[-N].snap[.zst][.age]`.

/// Digits that a time has at least.
const TIME_DIGITS_MIN: usize = 8;
const UID_DIGITS: usize = 8;

/// Whether the last part is of the form that the operator gives.
pub fn is_ours(object: &str) -> bool {
    let name = object.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".age").unwrap_or(name);
    let stem = stem.strip_suffix(".zst").unwrap_or(stem);
    stem.strip_suffix(".snap").is_some_and(is_time_and_uid)
}

/// Whether it lies in a folder of the schedule of this name.
pub fn is_in(object: &str, schedule: &str) -> bool {
    object.rsplit('/').nth(1) == Some(schedule)
}

fn is_time_and_uid(stem: &str) -> bool {
    match stem.rsplit_once('-') {
        Some((rest, number)) if is_number(number) => rest
            .rsplit_once('-')
            .is_some_and(|(time, uid)| is_time(time) && is_uid(uid)),
        Some((time, uid)) => is_time(time) && is_uid(uid),
        None => false,
    }
}

/// Of a second attempt.
fn is_number(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uid(text: &str) -> bool {
    text.len() == UID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_time(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits >= TIME_DIGITS_MIN
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"TZ-:.tz".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_call_their_files_is_not_ours() {
        let ours = [
            "20261122T041300Z-0a1b2c3d",
            "20261122-041300-0a1b2c3d-2",
            "1763784780-0a1b2c3d",
        ];
        for stem in ours {
            for ending in [".snap", ".snap.zst", ".snap.age", ".snap.zst.age"] {
                assert!(is_ours(&format!("ns/demo/nightly/{stem}{ending}")), "{stem}{ending}");
            }
        }
        let foreign = [
            "precious.snap",
            "before-upgrade-0a1b2c3d.snap",
            "20261122T041300Z-0a1b2c3d.txt",
            "20261122T041300Z.snap",
            "-.snap",
            ".snap",
        ];
        for name in foreign {
            assert!(!is_ours(&format!("ns/demo/nightly/{name}")), "{name}");
        }
        assert!(is_in("ns/demo/nightly/a", "nightly") && !is_in("ns/nightly/a/b", "nightly"));
    }
}
