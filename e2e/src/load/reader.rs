//! Linearizable reads of one member over a connection made beforehand.

use super::connection::Connection;
use super::mix;
use super::shared::{DRIVER, Shared};
use crate::history::Span;

pub struct Reader {
    connection: Connection,
}

impl Shared {
    /// A connected reader, if the member is up.
    pub async fn reader(&self, member: usize) -> Reader {
        let mut connection = Connection::new(member);
        connection.channel(self).await;
        Reader { connection }
    }
}

impl Reader {
    /// Whether the read was answered.
    pub async fn read(&mut self, shared: &Shared) -> bool {
        let asked = self.connection.ask(shared, DRIVER, mix::read(Span::new(0, 16))).await;
        asked.is_some_and(|operation| operation.answer().is_some())
    }
}
