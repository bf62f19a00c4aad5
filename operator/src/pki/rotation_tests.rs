use super::*;
use crate::pki::testing::{DAY, at};
use crate::pki::{Use, check};

const LIFE: Duration = Duration::from_secs(300 * 86_400);
const OVERLAP: Duration = Duration::from_secs(86_400);

fn wanted(seconds: i64) -> Rotation {
    Rotation {
        name: "a client CA".into(),
        life: LIFE,
        asked: None,
        overlap: OVERLAP,
        probe: Leaf::client("root", Duration::from_secs(90 * 86_400)),
        all_trust_next: false,
        all_show_next: false,
        now: at(seconds),
    }
}

fn asked(seconds: i64, trust: bool, show: bool) -> Rotation {
    Rotation {
        asked: Some("now".into()),
        all_trust_next: trust,
        all_show_next: show,
        ..wanted(seconds)
    }
}

/// As it is after it was written to a Secret and read again by another operator.
fn stored_and_read(stored: Stored) -> Stored {
    Stored::from_data(&stored.to_data()).unwrap()
}

fn step(stored: &Stored, wanted: &Rotation) -> Stored {
    let next = advance(stored, wanted).unwrap().expect("there is something to do");
    stored_and_read(next)
}

fn at_rest(stored: &Stored, wanted: &Rotation) -> bool {
    advance(stored, wanted).unwrap().is_none()
}

fn trusts(bundle: &str, leaf: &Pair, now: Timestamp) -> bool {
    check(leaf, bundle, &Use::Client, now).is_ok()
}

#[test]
fn a_rotation_goes_through_its_steps_and_waits_at_each() {
    let first = whole(None, &wanted(0)).unwrap();
    assert!(at_rest(&first, &wanted(0)));
    let bundled = step(&first, &asked(10, true, true));
    assert_eq!((bundled.step, &bundled.signing), (Step::Bundled, &first.signing));
    assert!(
        at_rest(&bundled, &asked(11, true, true)),
        "applications have their time"
    );
    assert!(
        at_rest(&bundled, &asked(10 * DAY, false, true)),
        "a member does not trust it yet"
    );
    let signed = step(&bundled, &asked(2 * DAY, true, false));
    assert_eq!(
        (signed.step, Some(&signed.signing)),
        (Step::Signed, bundled.next.as_ref())
    );
    assert!(
        at_rest(&signed, &asked(2 * DAY + 1, true, true)),
        "applications have their time"
    );
    assert!(
        at_rest(&signed, &asked(20 * DAY, true, false)),
        "a member shows the old one"
    );
    let done = step(&signed, &asked(4 * DAY, true, true));
    assert_eq!((done.step, &done.bundle), (Step::Steady, &signed.signing.certificate));
    assert!(
        at_rest(&done, &asked(5 * DAY, true, true)),
        "the same wish is not fulfilled twice"
    );
}

/// Members load their files at any time: each may have the bundle and the leaf of this step or of the one before.
#[test]
fn members_one_step_apart_always_trust_each_other() {
    let leaf = wanted(0).probe;
    let mut states = vec![whole(None, &wanted(0)).unwrap()];
    for (seconds, trust, show) in [(10, false, false), (2 * DAY, true, false), (4 * DAY, true, true)] {
        states.push(step(states.last().unwrap(), &asked(seconds, trust, show)));
    }
    let leaves: Vec<_> = states
        .iter()
        .map(|s| issue(&s.signing, &leaf, at(0)).unwrap())
        .collect();
    for (before, after) in (0..3).map(|step| (step, step + 1)) {
        // A step is taken only after everybody has what came before it, so that only neighbours meet. Bundled to
        // Signed and Signed to done are gated on every member; begin is not, and changes no leaf.
        for (bundle, shown) in [(before, after), (after, before), (before, before), (after, after)] {
            assert!(
                trusts(&states[bundle].bundle, &leaves[shown], at(4 * DAY)),
                "{bundle} {shown}"
            );
        }
    }
}

/// The operator is stopped after any write and another goes on with what is stored: it comes to the same end, and
/// what was done stays done.
#[test]
fn whoever_crashes_after_any_step_finds_the_same_thing_to_do() {
    let first = whole(None, &wanted(0)).unwrap();
    let mut stored = first.clone();
    for pass in 0..40 {
        let now = asked(pass * DAY, true, true);
        let once = advance(&stored, &now).unwrap();
        let again = advance(&stored, &now).unwrap();
        let steps = |s: &Option<Stored>| s.as_ref().map(|s| (s.step, s.since, s.rotation.clone()));
        assert_eq!(steps(&once), steps(&again), "a step is a function of what is stored");
        // Only the second write arrived: the first was made by one who crashed before it.
        stored = again.map_or(stored, stored_and_read);
    }
    assert_eq!(stored.step, Step::Steady);
    assert_ne!(stored.signing, first.signing);
    assert_eq!(stored.bundle, stored.signing.certificate);
}

#[test]
fn an_authority_is_rotated_when_two_thirds_of_its_life_are_over() {
    let first = whole(None, &wanted(0)).unwrap();
    assert!(at_rest(&first, &wanted(199 * DAY)));
    assert_eq!(step(&first, &wanted(200 * DAY)).step, Step::Bundled);
    assert!(next_due(&first, OVERLAP).unwrap() <= at(200 * DAY));
}

#[test]
fn an_authority_that_lives_shortly_is_not_waited_for_until_it_is_dead() {
    let short = |seconds| Rotation {
        life: Duration::from_secs(2 * 86_400),
        ..asked(seconds, true, true)
    };
    let first = whole(
        None,
        &Rotation {
            asked: None,
            ..short(0)
        },
    )
    .unwrap();
    let bundled = step(&first, &short(DAY));
    assert_eq!(step(&bundled, &short(DAY + DAY / 4)).step, Step::Signed);
}

#[test]
fn nobody_is_waited_for_once_the_old_authority_has_expired() {
    let first = whole(None, &wanted(0)).unwrap();
    let bundled = step(&first, &asked(1, false, false));
    assert_eq!(step(&bundled, &asked(301 * DAY, false, false)).step, Step::Signed);
}

#[test]
fn a_lost_authority_is_replaced_without_anybody_being_locked_out() {
    let first = whole(None, &wanted(0)).unwrap();
    let leaf = issue(&first.signing, &wanted(0).probe, at(0)).unwrap();
    let after = stored_and_read(whole(Some(&first.bundle), &wanted(5)).unwrap());
    assert_eq!((after.step, after.signing.key.as_str()), (Step::Bundled, ""));
    assert!(is_by(&leaf, &after.signing, at(5)), "what it signed stays");
    assert!(trusts(&after.bundle, &leaf, at(5)) && trusts(&after.bundle, after.probe.as_ref().unwrap(), at(5)));
    let trusted = Rotation {
        all_trust_next: true,
        all_show_next: true,
        ..wanted(2 * DAY)
    };
    let signed = step(&after, &trusted);
    assert_eq!(signed.step, Step::Signed);
    assert!(trusts(&signed.bundle, &leaf, at(2 * DAY)));
}

#[test]
fn what_was_taken_out_of_a_bundle_by_hand_comes_back() {
    let first = whole(None, &wanted(0)).unwrap();
    let bundled = step(&first, &asked(1, false, false));
    for bundle in ["", "rubbish", &first.bundle, &bundled.next.clone().unwrap().certificate] {
        let broken = Stored {
            bundle: bundle.into(),
            ..bundled.clone()
        };
        let mended = step(&broken, &asked(2, false, false));
        assert!(trusts(&mended.bundle, mended.probe.as_ref().unwrap(), at(2)));
        assert!(trusts(
            &mended.bundle,
            &issue(&mended.signing, &wanted(0).probe, at(2)).unwrap(),
            at(2)
        ));
    }
}

#[test]
fn a_lost_next_authority_and_an_old_probe_are_made_anew() {
    let bundled = step(&whole(None, &wanted(0)).unwrap(), &asked(1, false, false));
    let without = Stored {
        next: None,
        ..bundled.clone()
    };
    assert!(step(&without, &asked(2, true, true)).next.is_some());
    let later = step(&bundled, &asked(91 * DAY, false, false));
    assert_ne!(later.probe, bundled.probe);
    assert_eq!(later.next, bundled.next);
}

#[test]
fn a_wish_during_a_rotation_is_fulfilled_after_it() {
    let bundled = step(&whole(None, &wanted(0)).unwrap(), &asked(1, false, false));
    let other = |seconds| Rotation {
        asked: Some("again".into()),
        ..asked(seconds, true, true)
    };
    let signed = step(&bundled, &other(2 * DAY));
    let done = step(&signed, &other(4 * DAY));
    assert_eq!(step(&done, &other(4 * DAY)).rotation.as_deref(), Some("again"));
}
