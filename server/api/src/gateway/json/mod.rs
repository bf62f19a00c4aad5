//! Messages as JSON and back, as grpc-gateway with etcd's options has them (embed/serve.go).
//!
//! Always holds: fields are written under their names in the contract, 64-bit numbers as strings, bytes in base64,
//! enums by name, nothing that has its zero value. Read are both forms of a name, numbers in either form, both
//! alphabets of base64, enums by name or number; unknown fields and names are passed over.

mod number;
mod place;
mod read;
mod scalar;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::{ReadError, document, message};
pub(super) use write::write;
