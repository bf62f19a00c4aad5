use super::*;
use crate::testing::Shelf;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l";

fn terms() -> Terms {
    Terms {
        lease: Duration::from_millis(300),
        renew: Duration::from_millis(200),
        retry: Duration::from_millis(20),
    }
}

fn candidate(shelf: &Shelf, me: &str) -> Candidate {
    Candidate::new(shelf.client(), "ns", "l", me.into(), terms())
}

fn held_by(shelf: &Shelf) -> String {
    shelf.object(PATH).unwrap()["spec"]["holderIdentity"]
        .as_str()
        .unwrap()
        .into()
}

#[tokio::test]
async fn of_two_only_one_holds_it() {
    let shelf = Shelf::default();
    let (mut a, mut b) = (candidate(&shelf, "a"), candidate(&shelf, "b"));
    assert!(a.ask().await.unwrap());
    for _ in 0..3 {
        assert!(!b.ask().await.unwrap());
        assert!(a.ask().await.unwrap());
    }
    assert_eq!(held_by(&shelf), "a");
}

#[tokio::test]
async fn a_lease_that_was_let_go_is_taken_at_once() {
    let shelf = Shelf::default();
    let (mut a, mut b) = (candidate(&shelf, "a"), candidate(&shelf, "b"));
    a.acquire().await;
    a.release().await;
    assert!(b.ask().await.unwrap());
    a.release().await;
    assert_eq!(held_by(&shelf), "b", "nobody lets go of what is another's");
    let spec = &shelf.object(PATH).unwrap()["spec"];
    assert_eq!(spec["leaseTransitions"], 3);
}

#[test]
fn a_lease_runs_out_by_ones_own_clock_and_not_by_what_is_written_in_it() {
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _in = rt.enter();
    let mut b = candidate(&Shelf::default(), "b");
    let lease = |version: &str| Lease {
        metadata: ObjectMeta {
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some("a".into()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime("2001-01-01T00:00:00Z".parse().unwrap())),
            ..LeaseSpec::default()
        }),
    };
    let start = Instant::now();
    let after = |seconds: u64| start + Duration::from_secs(seconds);
    assert_eq!(
        b.decide(&lease("1"), after(0)),
        Move::Wait,
        "an old date may be another clock"
    );
    assert_eq!(b.decide(&lease("1"), after(14)), Move::Wait);
    assert_eq!(b.decide(&lease("2"), after(15)), Move::Wait, "it was renewed");
    assert_eq!(b.decide(&lease("2"), after(29)), Move::Wait);
    assert_eq!(b.decide(&lease("2"), after(30)), Move::Take);
}

#[tokio::test]
async fn who_cannot_renew_stops_before_another_begins() {
    let shelf = Shelf::default();
    let mut a = candidate(&shelf, "a");
    a.acquire().await;
    shelf.fail_after(Some(0));
    let began = Instant::now();
    a.hold().await;
    assert!(began.elapsed() < terms().lease, "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_finds_another_in_its_place_stops_at_once() {
    let shelf = Shelf::default();
    let (mut a, mut b) = (candidate(&shelf, "a"), candidate(&shelf, "b"));
    a.acquire().await;
    a.release().await;
    b.acquire().await;
    tokio::time::timeout(Duration::from_millis(150), a.hold())
        .await
        .unwrap();
}
