//! Bugs in what watchers are told.

use super::*;
use crate::history::{Event, Span, Watch};

/// The watcher of everything at the first member, and a response of several events of one revision if asked for.
fn full_watch(history: &History) -> u64 {
    history
        .watches
        .iter()
        .find(|watch| watch.span == Span::all())
        .expect("the history has watchers")
        .id
}

fn events(heard: &mut Heard) -> &mut Vec<Event> {
    match &mut heard.news {
        News::Events(events) => events,
        news => panic!("no events but {news:?}"),
    }
}

/// A history, the place of some response in the middle and that of the next.
fn middle() -> (History, usize, usize) {
    let history = clean(1);
    let places = responses(&history, full_watch(&history));
    let (one, next) = (places[places.len() / 2], places[places.len() / 2 + 1]);
    (history, one, next)
}

#[test]
fn a_dropped_event_is_found() {
    let (mut history, one, _) = middle();
    history.heard.remove(one);
    let report = check(&history);
    assert!(
        report.broke(Law::WatchIsComplete) || report.broke(Law::ProgressIsNotAhead),
        "{report}"
    );
}

#[test]
fn a_duplicated_event_is_found() {
    let (mut history, one, _) = middle();
    let again = history.heard[one].clone();
    history.heard.insert(one, again);
    assert_breaks(&history, Law::WatchTellsOnce);
}

#[test]
fn events_out_of_order_are_found() {
    let (mut history, one, next) = middle();
    history.heard.swap(one, next);
    assert_breaks(&history, Law::WatchIsOrdered);
}

#[test]
fn a_split_revision_is_found() {
    let mut history = clean(1);
    let several = |heard: &mut Heard| {
        let events = events(heard);
        events.len() > 1 && events[events.len() - 1].pair.modified == events[events.len() - 2].pair.modified
    };
    let places = responses(&history, full_watch(&history));
    let place = places
        .into_iter()
        .find(|&place| several(&mut history.heard[place]))
        .expect("some transaction was told");
    let mut rest = history.heard[place].clone();
    let split = events(&mut history.heard[place]).pop().expect("there are events");
    *events(&mut rest) = vec![split];
    history.heard.insert(place + 1, rest);
    assert_breaks(&history, Law::WatchIsAtomic);
}

#[test]
fn progress_ahead_of_events_is_found() {
    let (mut history, one, _) = middle();
    let revision = events(&mut history.heard[one])[0].pair.modified;
    let progress = Heard {
        revision,
        news: News::Progress,
        ..history.heard[one].clone()
    };
    history.heard.insert(one, progress);
    assert_breaks(&history, Law::ProgressIsNotAhead);
}

#[test]
fn a_member_that_applied_something_else_is_found() {
    let (mut history, one, _) = middle();
    events(&mut history.heard[one])[0].pair.value += 1;
    assert_breaks(&history, Law::MembersAgree);
}

#[test]
fn a_wrong_previous_pair_is_found() {
    let mut history = clean(1);
    let place = responses(&history, full_watch(&history))
        .into_iter()
        .rfind(|&place| matches!(&history.heard[place].news, News::Events(events) if events[0].prev.is_some()));
    let place = place.expect("some key was written twice");
    if let Some(prev) = &mut events(&mut history.heard[place])[0].prev {
        prev.version += 1;
    }
    assert_breaks(&history, Law::WatchIsTrue);
}

#[test]
fn an_end_without_reason_is_found() {
    let (mut history, one, _) = middle();
    history.heard[one].news = News::Cancelled { compacted: 3 };
    assert_breaks(&history, Law::WatchEndsWithReason);
}

#[test]
fn a_watcher_from_now_on_may_be_told_what_happens_while_it_is_confirmed() {
    let (mut history, one, _) = middle();
    let revision = events(&mut history.heard[one])
        .last()
        .expect("there are events")
        .pair
        .modified;
    let member = 0;
    history.watches.push(Watch {
        id: 9,
        member,
        asked: 0,
        span: Span::all(),
        start: 0,
        prev: true,
    });
    let created = Heard {
        watch: 9,
        revision,
        news: News::Created,
        ..history.heard[one].clone()
    };
    let told = Heard {
        watch: 9,
        ..history.heard[one].clone()
    };
    history.heard.extend([created, told.clone()]);
    assert!(check(&history).is_clean());
    history.heard.push(told);
    assert_breaks(&history, Law::WatchTellsOnce);
}
