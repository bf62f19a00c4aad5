//! Finds the watchers of a key: exact keys by hash, ranges by a treap that knows the furthest end below each node.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::watcher::Watcher;
use crate::KeyRange;
use crate::range::End;

#[derive(Default)]
pub(super) struct Index {
    points: HashMap<Bytes, Vec<Arc<Watcher>>>,
    ranges: Tree,
}

impl Index {
    pub fn insert(&mut self, watcher: Arc<Watcher>) {
        match watcher.spec.range.end {
            End::Point => self
                .points
                .entry(watcher.spec.range.start.clone())
                .or_default()
                .push(watcher),
            _ => insert(&mut self.ranges, watcher),
        }
    }

    pub fn remove(&mut self, watcher: &Watcher) {
        let range = &watcher.spec.range;
        if range.end != End::Point {
            return remove(&mut self.ranges, range, watcher.serial);
        }
        if let Some(watchers) = self.points.get_mut(&range.start) {
            watchers.retain(|w| w.serial != watcher.serial);
            if watchers.is_empty() {
                self.points.remove(&range.start);
            }
        }
    }

    /// Everybody, in no order.
    pub fn all(&self) -> Vec<Arc<Watcher>> {
        let mut all: Vec<_> = self.points.values().flatten().cloned().collect();
        gather(&self.ranges, &mut all);
        all
    }

    pub fn for_each(&self, key: &[u8], mut found: impl FnMut(&Arc<Watcher>)) {
        self.points.get(key).into_iter().flatten().for_each(&mut found);
        stab(&self.ranges, key, &mut found);
    }
}

type Tree = Option<Box<Node>>;

fn gather(tree: &Tree, all: &mut Vec<Arc<Watcher>>) {
    let Some(node) = tree else { return };
    gather(&node.left, all);
    all.extend(node.watchers.iter().cloned());
    gather(&node.right, all);
}

/// Ordered by range, heap-ordered by priority; watchers of the same range share a node.
struct Node {
    range: KeyRange,
    priority: u64,
    end_max: End,
    watchers: Vec<Arc<Watcher>>,
    left: Tree,
    right: Tree,
}

impl Node {
    fn refresh(&mut self) {
        let ends = [&self.left, &self.right]
            .into_iter()
            .flatten()
            .map(|child| &child.end_max);
        let furthest = ends.chain([&self.range.end]).max().cloned();
        self.end_max = furthest.unwrap_or(End::Unbounded);
    }
}

fn stab(tree: &Tree, key: &[u8], found: &mut impl FnMut(&Arc<Watcher>)) {
    let Some(node) = tree else { return };
    if !is_before_end(key, &node.end_max) {
        return;
    }
    stab(&node.left, key, found);
    if node.range.start <= key {
        if is_before_end(key, &node.range.end) {
            node.watchers.iter().for_each(&mut *found);
        }
        stab(&node.right, key, found);
    }
}

fn is_before_end(key: &[u8], end: &End) -> bool {
    match end {
        End::Before(end) => key < end.as_ref(),
        End::Unbounded => true,
        End::Point => false,
    }
}

fn insert(tree: &mut Tree, watcher: Arc<Watcher>) {
    let Some(node) = tree else {
        *tree = Some(leaf(watcher));
        return;
    };
    match watcher.spec.range.cmp(&node.range) {
        std::cmp::Ordering::Equal => node.watchers.push(watcher),
        std::cmp::Ordering::Less => {
            insert(&mut node.left, watcher);
            if node.left.as_ref().is_some_and(|left| left.priority > node.priority) {
                return rotate_right(tree);
            }
            node.refresh();
        }
        std::cmp::Ordering::Greater => {
            insert(&mut node.right, watcher);
            if node.right.as_ref().is_some_and(|right| right.priority > node.priority) {
                return rotate_left(tree);
            }
            node.refresh();
        }
    }
}

fn leaf(watcher: Arc<Watcher>) -> Box<Node> {
    let range = watcher.spec.range.clone();
    let priority = scatter(watcher.serial);
    Box::new(Node {
        end_max: range.end.clone(),
        range,
        priority,
        watchers: vec![watcher],
        left: None,
        right: None,
    })
}

/// Spreads serial numbers evenly, so that the tree stays flat whatever the order of arrival (splitmix64).
fn scatter(serial: u64) -> u64 {
    let mut z = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn rotate_right(tree: &mut Tree) {
    let Some(mut node) = tree.take() else { return };
    let Some(mut top) = node.left.take() else {
        *tree = Some(node);
        return;
    };
    node.left = top.right.take();
    node.refresh();
    top.right = Some(node);
    top.refresh();
    *tree = Some(top);
}

fn rotate_left(tree: &mut Tree) {
    let Some(mut node) = tree.take() else { return };
    let Some(mut top) = node.right.take() else {
        *tree = Some(node);
        return;
    };
    node.right = top.left.take();
    node.refresh();
    top.left = Some(node);
    top.refresh();
    *tree = Some(top);
}

fn remove(tree: &mut Tree, range: &KeyRange, serial: u64) {
    let Some(node) = tree else { return };
    match range.cmp(&node.range) {
        std::cmp::Ordering::Less => remove(&mut node.left, range, serial),
        std::cmp::Ordering::Greater => remove(&mut node.right, range, serial),
        std::cmp::Ordering::Equal => {
            node.watchers.retain(|w| w.serial != serial);
            if node.watchers.is_empty() {
                let (left, right) = (node.left.take(), node.right.take());
                *tree = merge(left, right);
                return;
            }
        }
    }
    node.refresh();
}

/// Joins two trees, everything in `left` being below everything in `right`.
fn merge(left: Tree, right: Tree) -> Tree {
    match (left, right) {
        (None, tree) | (tree, None) => tree,
        (Some(mut left), Some(right)) if left.priority > right.priority => {
            left.right = merge(left.right.take(), Some(right));
            left.refresh();
            Some(left)
        }
        (left, Some(mut right)) => {
            right.left = merge(left, right.left.take());
            right.refresh();
            Some(right)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::watch::WatchSpec;
    use crate::watch::stream::Queue;

    fn watcher(serial: u64, key: Vec<u8>, end: Vec<u8>) -> Arc<Watcher> {
        let spec = WatchSpec {
            range: KeyRange::new(key.into(), end.into()),
            start_revision: 0,
            watch_id: 0,
            progress_notify: false,
            no_put: false,
            no_delete: false,
            prev_kv: false,
            fragment: false,
        };
        Arc::new(Watcher {
            serial,
            watch_id: serial as i64,
            spec,
            stream: Arc::new(Queue::new(1, Arc::default())),
        })
    }

    fn found(index: &Index, key: &[u8]) -> Vec<u64> {
        let mut serials = Vec::new();
        index.for_each(key, |w| serials.push(w.serial));
        serials.sort_unstable();
        serials
    }

    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 97, 98, 255]), 0..3)
    }

    proptest! {
        #[test]
        fn finds_exactly_the_ranges_that_hold_the_key(
            ranges in prop::collection::vec((word(), word(), any::<bool>()), 0..40),
            keys in prop::collection::vec(word(), 1..20),
        ) {
            let mut index = Index::default();
            let mut kept = Vec::new();
            for (serial, (key, end, keep)) in ranges.into_iter().enumerate() {
                let watcher = watcher(serial as u64, key, end);
                if watcher.spec.range.is_empty() {
                    continue;
                }
                index.insert(Arc::clone(&watcher));
                kept.push((watcher, keep));
            }
            for (watcher, _) in kept.iter().filter(|(_, keep)| !keep) {
                index.remove(watcher);
            }
            for key in keys {
                let expected: Vec<_> = kept
                    .iter()
                    .filter(|(w, keep)| *keep && w.spec.range.contains(&key))
                    .map(|(w, _)| w.serial)
                    .collect();
                prop_assert_eq!(found(&index, &key), expected);
            }
        }
    }
}
