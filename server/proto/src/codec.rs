//! How messages get onto the wire: prost, with a buffer as large as the message.
//!
//! tonic's own codec starts every answer with 8 KiB. Most answers here have less than 100 bytes, and thousands of them
//! wait for their socket at a time.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Room for the frame's head and a small answer.
const BUFFER_BYTES: usize = 128;
/// Messages that are ready together travel together up to this.
const YIELD_BYTES: usize = 32 << 10;

/// Encodes `T`, decodes `U`.
pub struct FittingCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for FittingCodec<T, U> {
    fn default() -> Self {
        FittingCodec(PhantomData)
    }
}

impl<T, U> Codec for FittingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = FittingEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        FittingEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::default())
    }
}

pub struct FittingEncoder<T>(PhantomData<T>);

impl<T: Message> Encoder for FittingEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(item.encoded_len());
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}
