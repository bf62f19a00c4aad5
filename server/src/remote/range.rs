//! Ends of key ranges.

/// The first key behind all that begin with `prefix`: what a range of them ends before. `\0` is the end of all keys.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX);
    let Some(last) = kept else { return vec![0] };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_next_prefix_or_that_of_all_keys() {
        assert_eq!(after_prefix(b"ab"), b"ac");
        assert_eq!(after_prefix(b"a\xff\xff"), b"b");
        assert_eq!(after_prefix(b"\xff"), b"\0");
        assert_eq!(after_prefix(b""), b"\0");
    }
}
