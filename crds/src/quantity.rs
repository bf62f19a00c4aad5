//! Kubernetes' quantities, as far as volumes and quotas need them.
//!
//! Source: k8s.io/apimachinery/pkg/api/resource (decimal and binary suffixes, exponents).

/// Bytes that a quantity means, rounded up; `None` if it is none or does not fit.
pub fn bytes_of(quantity: &str) -> Option<u64> {
    let digits = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(digits);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let scaled = scaled(whole, part)?;
    let (numerator, denominator) = factor(suffix)?;
    let value = scaled.checked_mul(numerator)?;
    u64::try_from(value.div_ceil(denominator.checked_mul(PARTS)?)).ok()
}

/// Whether it can be read as a quantity of bytes.
pub fn is_quantity(text: &str) -> bool {
    bytes_of(text).is_some()
}

const PARTS: u128 = 1_000_000;

/// The number in millionths.
fn scaled(whole: &str, part: &str) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: String = part.chars().chain(std::iter::repeat('0')).take(6).collect();
    whole.checked_mul(PARTS)?.checked_add(part.parse().ok()?)
}

fn factor(suffix: &str) -> Option<(u128, u128)> {
    let power = |base: u128, of: u32| base.pow(of);
    Some(match suffix {
        "" => (1, 1),
        "m" => (1, 1000),
        "k" => (power(1000, 1), 1),
        "M" => (power(1000, 2), 1),
        "G" => (power(1000, 3), 1),
        "T" => (power(1000, 4), 1),
        "P" => (power(1000, 5), 1),
        "E" => (power(1000, 6), 1),
        "Ki" => (power(1024, 1), 1),
        "Mi" => (power(1024, 2), 1),
        "Gi" => (power(1024, 3), 1),
        "Ti" => (power(1024, 4), 1),
        "Pi" => (power(1024, 5), 1),
        "Ei" => (power(1024, 6), 1),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            (
                10u128.checked_pow(digits.strip_prefix('+').unwrap_or(digits).parse().ok()?)?,
                1,
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let table = [
            ("1", Some(1)),
            ("8Gi", Some(8 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("2G", Some(2_000_000_000)),
            ("1e3", Some(1000)),
            ("1500m", Some(2)),
            ("", None),
            ("Gi", None),
            ("8GB", None),
            ("-1Gi", None),
            ("99999999999Ei", None),
        ];
        for (text, bytes) in table {
            assert_eq!(bytes_of(text), bytes, "{text}");
        }
    }
}
