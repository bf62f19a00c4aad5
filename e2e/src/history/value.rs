//! Values that tell who wrote them: a number, and padding that follows from the number.

use bytes::Bytes;

use crate::chance::Chance;

/// What bytes that nobody wrote are read as.
pub const CORRUPT: u64 = u64::MAX;
/// Most values are small; one in this many is large, so that snapshots and logs have some weight.
const LARGE_ONE_IN: u64 = 64;
const SMALL_BYTES_MAX: u64 = 64;
const LARGE_BYTES_MAX: u64 = 6_000;

pub fn bytes(number: u64) -> Bytes {
    let mut chance = Chance::new(number);
    let longest = if chance.below(LARGE_ONE_IN) == 0 {
        LARGE_BYTES_MAX
    } else {
        SMALL_BYTES_MAX
    };
    let padding = chance.below(longest) as usize;
    format!("{number}:{:x>padding$}", "").into()
}

pub fn parse(wire: &[u8]) -> u64 {
    let digits = wire.split(|&byte| byte == b':').next().unwrap_or_default();
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
    number.filter(|&number| bytes(number) == wire).unwrap_or(CORRUPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_back_and_a_damaged_one_is_noticed() {
        for number in [1, 2, 99, 1_000_000] {
            let mut wire = bytes(number).to_vec();
            assert_eq!(parse(&wire), number);
            wire.push(b'x');
            assert_eq!(parse(&wire), CORRUPT);
        }
    }
}
