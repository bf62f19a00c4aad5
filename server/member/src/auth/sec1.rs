//! The older form of keys on elliptic curves (RFC 5915, `EC PRIVATE KEY`), put into the newer one (RFC 5208).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN EC PRIVATE KEY-----";
const END: &str = "-----END EC PRIVATE KEY-----";
/// The object identifier of keys on elliptic curves, and those of the curves, as DER.
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const VERSION_0: &[u8] = &[0x02, 0x01, 0x00];
const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;

/// The same key in the newer form; anything else stays as it is, for others to judge.
pub(super) fn to_pkcs8(pem: &[u8]) -> Vec<u8> {
    wrapped(pem).unwrap_or_else(|| pem.to_vec())
}

fn wrapped(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_whitespace().collect();
    let key = STANDARD.decode(body).ok()?;
    let holds = |curve: &[u8]| key.windows(curve.len()).any(|window| window == curve);
    let curve = [P256, P384].into_iter().find(|curve| holds(curve))?;
    let kind = der(SEQUENCE, &[EC_PUBLIC_KEY, curve].concat());
    let der = der(SEQUENCE, &[VERSION_0, &kind, &der(OCTETS, &key)].concat());
    let body = STANDARD.encode(der);
    Some(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").into_bytes())
}

/// Tag, length, content. Keys are shorter than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..=0x7f => vec![short as u8],
        middle @ 0x80..=0xff => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], length.as_slice(), content].concat()
}
