//! Reads fixed-size fields off the front of stored bytes.

use super::damaged;
use crate::StoreFailure;

pub(crate) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `what` names the record in the error.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// The key's first byte, which says what kind of record it is.
    pub(crate) fn tag(&mut self, tag: u8) -> Result<(), StoreFailure> {
        match self.array::<1>()? {
            [found] if found == tag => Ok(()),
            [found] => Err(damaged(self.what, &format!("tag {found} instead of {tag}"))),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StoreFailure> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StoreFailure> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, StoreFailure> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StoreFailure> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StoreFailure> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], StoreFailure> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| damaged(self.what, "too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<(), StoreFailure> {
        match self.rest {
            [] => Ok(()),
            rest => Err(damaged(self.what, &format!("{} bytes too long", rest.len()))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreFailure> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| damaged(self.what, "too short"))?;
        self.rest = rest;
        Ok(*taken)
    }
}
