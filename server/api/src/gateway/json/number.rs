//! Whole numbers in any form JSON has for them.

/// What stands for more digits than any number of 64 bits has.
const DIGITS_MAX: u64 = 20;

/// `text` is a JSON number. None if it is not whole or too large; `1e2` and `2.0` are whole.
pub(super) fn whole(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (left, right) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let right = right.trim_end_matches('0');
    let digits = format!("{left}{right}");
    shift(&digits, exponent.checked_sub(right.len() as i64)?)
}

/// `digits` times ten to the power of `by`.
fn shift(digits: &str, by: i64) -> Option<i128> {
    let number: i128 = digits.parse().ok()?;
    match by {
        _ if number == 0 => Some(0),
        by if by.unsigned_abs() > DIGITS_MAX => None,
        by if by >= 0 => number.checked_mul(10i128.pow(by as u32)),
        by => {
            let divisor = 10i128.pow(by.unsigned_abs() as u32);
            (number % divisor == 0).then_some(number / divisor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_many_forms() {
        for (text, number) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("1e2", Some(100)),
            ("1.5E1", Some(15)),
            ("2.0", Some(2)),
            ("200e-2", Some(2)),
            ("18446744073709551615", Some(u64::MAX.into())),
            ("1.5", None),
            ("5e-1", None),
            ("1e99", None),
            ("1e99999999999999999999", None),
            ("0e99", Some(0)),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }
}
