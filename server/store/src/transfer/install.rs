//! The swap.

use super::Received;
use crate::apply::Applier;
use crate::engine::Engine;
use crate::pinned::Pinned;
use crate::schema::{damaged, format};
use crate::store::Shared;
use crate::{OpenError, StoreFailure};

impl Applier {
    /// Puts what was received in the place of the store as it is: durable, and seen by all its handles, when this
    /// returns. Views from before read on what they have. After a failure the store must be opened anew, and has
    /// then one state or the other.
    pub fn install(&mut self, received: Received) -> Result<(), StoreFailure> {
        let ahead = self.position().index > received.position().index;
        self.replace(|shared| {
            if ahead {
                return Err(damaged("received state", "it is older than the one it is to replace"));
            }
            if !received.home.is_in(shared.dir()) {
                return Err(damaged("received state", "it came to another store"));
            }
            swap(shared, received)
        })
    }
}

fn swap(shared: &Shared, received: Received) -> Result<(), StoreFailure> {
    let live = shared.newest();
    format::mark_installed(shared.dir())?;
    let home = received.home.install_after(&live.engine.home)?;
    let engine = Engine::open(home, shared.options()).map_err(|why| match why {
        OpenError::Failure(why) => why,
        why => StoreFailure::Damaged(why.to_string()),
    })?;
    shared.replace(Pinned::read(engine)?);
    Ok(())
}
