//! Sizes as Kubernetes writes them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::Error;

const UNITS: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// In bytes. Only whole numbers: the API server rounds claims up to them.
pub fn bytes(quantity: &Quantity) -> Result<u64, Error> {
    let text = quantity.0.as_str();
    let unit = UNITS.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) = unit.map_or((text, 1), |(suffix, factor)| (text.trim_end_matches(suffix), *factor));
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| Error::Size(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_kinds_of_units() {
        for (text, expected) in [
            ("0", 0),
            ("1Gi", 1 << 30),
            ("5M", 5_000_000),
            ("1024Ki", 1 << 20),
            ("7", 7),
        ] {
            assert_eq!(bytes(&Quantity(text.to_owned())).unwrap(), expected);
        }
        assert!(bytes(&Quantity("1.5Gi".to_owned())).is_err());
    }
}
