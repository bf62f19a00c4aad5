//! What clients of several members may rely on: a file per promise.

mod alarms;
mod behind;
mod changes;
mod failover;
mod joining;
mod leader;
mod learner;
mod leaving;
mod no_quorum;
mod promises;
mod serving;
mod survivor;
mod tls;
