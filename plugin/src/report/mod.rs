//! `report`: what support needs to see of a cluster, in one file, without Secrets.
//!
//! Secrets are never asked for. What else is gathered goes through [`redact`], for people put secrets where they do not
//! belong. What cannot be had is told in `problems.txt` and holds nothing up.

mod archive;
mod gather;
mod objects;
mod redact;

use std::path::PathBuf;

use crate::args::Report;
use crate::failure::Failure;
use crate::find;
use crate::session::Session;
use archive::Archive;

pub async fn run(session: &Session, flags: Report) -> Result<(), Failure> {
    let cluster = find::cluster(session, &flags.cluster).await?;
    let default = || PathBuf::from(format!("taffrail-report-{}-{}.tar.gz", flags.cluster, session.stamp()));
    let path = flags.output.clone().unwrap_or_else(default);
    let mut archive = Archive::create(&path, (session.now)())?;
    let problems = gather::all(session, &flags, &cluster, &mut archive).await?;
    archive.finish()?;
    problems.iter().for_each(|problem| session.notes.line(problem));
    session.out.line(&format!(
        "{}: look through it before it leaves your hands",
        path.display()
    ));
    Ok(())
}
