//! What people are told on the objects themselves: `kubectl describe`.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::names::FIELD_MANAGER;

/// The API server refuses longer ones.
const NOTE_BYTES_MAX: usize = 1024;

/// Tells people. One for the whole operator: what is said again and again becomes one event with a count.
#[derive(Clone, Default)]
pub struct Events(Option<Recorder>);

impl Events {
    /// `instance`: which of several operators says it.
    pub fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter {
            controller: FIELD_MANAGER.into(),
            instance: Some(instance),
        };
        Self(Some(Recorder::new(client, reporter)))
    }

    /// Something was done. An event that cannot be written is logged and changes nothing.
    pub async fn done<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: &str) {
        self.publish(about, EventType::Normal, reason, note).await;
    }

    /// Something is wrong.
    pub async fn warn<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: &str) {
        self.publish(about, EventType::Warning, reason, note).await;
    }

    async fn publish<K: Resource<DynamicType = ()>>(&self, about: &K, type_: EventType, reason: &str, note: &str) {
        let Some(recorder) = &self.0 else { return };
        let event = Event {
            type_,
            reason: reason.into(),
            note: Some(shortened(note)),
            action: reason.into(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &about.object_ref(&())).await {
            tracing::warn!(%error, reason, "an event was not written");
        }
    }
}

fn shortened(note: &str) -> String {
    if note.len() <= NOTE_BYTES_MAX {
        return note.into();
    }
    let room = NOTE_BYTES_MAX - '…'.len_utf8();
    let letters = note.char_indices().map(|(start, letter)| start + letter.len_utf8());
    let end = letters.take_while(|end| *end <= room).last().unwrap_or(0);
    format!("{}…", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_letters() {
        for text in ["a".repeat(2000), "ä".repeat(2000)] {
            let cut = shortened(&text);
            assert!(cut.len() <= NOTE_BYTES_MAX && cut.ends_with('…'));
        }
        assert_eq!(shortened("short"), "short");
    }
}
