//! Messages as they travel in gRPC: a flag, the length, the bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

const HEAD_BYTES: usize = 5;

/// Adds a message.
pub fn put(frames: &mut BytesMut, message: &impl Message) {
    let length = message.encoded_len();
    frames.reserve(HEAD_BYTES + length);
    frames.put_u8(0);
    frames.put_u32(length as u32);
    message.encode(frames).expect("the buffer grows as needed");
}

/// Takes the first message out, if it is there whole.
pub fn take(frames: &mut BytesMut) -> Option<Bytes> {
    let (length, rest) = head(frames)?;
    if rest.len() < length {
        return None;
    }
    frames.advance(HEAD_BYTES);
    Some(frames.split_to(length).freeze())
}

/// How many messages begin in whole frames; tonic sends no others.
pub fn count(mut data: &[u8]) -> u64 {
    let mut messages = 0;
    while let Some((length, rest)) = head(data) {
        messages += 1;
        data = rest.get(length..).unwrap_or_default();
    }
    messages
}

/// The length of the first message, and everything behind that.
fn head(data: &[u8]) -> Option<(usize, &[u8])> {
    let [_, a, b, c, d, rest @ ..] = data else {
        return None;
    };
    Some((u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_a_frame_are_counted() {
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0]), 2);
        assert_eq!(count(&[0, 0, 0, 0, 9, 1]), 1);
    }
}
