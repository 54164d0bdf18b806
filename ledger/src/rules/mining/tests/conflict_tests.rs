//! Which mining transactions wait for which: only those with a miner or a task in common (spec 10, item 37).

use std::collections::{BTreeMap, BTreeSet};

use weft_engine::{AddError, Checkpoint, StateView, Stop, Touch, Value as _, Verdict, Vm};

use super::world::*;
use crate::state::{Counter, Delta, Key, Value};
use crate::testing::{World, addr, sign, unsigned};
use crate::wire::{AiMiningPayload, Difficulty, Payload, Transaction};

/// What an execution did to the keys.
#[derive(Debug, Default)]
struct Touched {
    reads: BTreeSet<Key>,
    writes: BTreeSet<Key>,
    adds: BTreeSet<Key>,
}

impl Touched {
    /// Whether one of the two must wait for the other: one reads, or replaces, what the other changes.
    fn conflicts(&self, other: &Self) -> bool {
        let waits = |one: &Self, two: &Self| {
            one.reads.union(&one.writes).any(|key| two.writes.contains(key) || two.adds.contains(key))
        };
        waits(self, other) || waits(other, self)
    }

    fn reads_clock(&self) -> bool {
        self.reads.contains(&Key::Counter(Counter::MiningClock))
    }
}

struct View<'a> {
    state: &'a BTreeMap<Key, Value>,
    own: BTreeMap<Key, Value>,
    touched: Touched,
}

impl StateView<Key, Value> for View<'_> {
    fn read(&mut self, key: &Key) -> Result<Option<Value>, Stop> {
        // What it has written itself it need not wait for.
        Ok(Some(match self.own.get(key) {
            Some(own) => own.clone(),
            None => {
                self.touched.reads.insert(*key);
                match self.state.get(key) {
                    Some(value) => value.clone(),
                    None => return Ok(None),
                }
            }
        }))
    }

    fn write(&mut self, key: Key, value: Value) {
        self.touched.writes.insert(key);
        self.own.insert(key, value);
    }

    fn delete(&mut self, key: Key) {
        panic!("mining deletes nothing, but {key:?}");
    }

    fn add(&mut self, key: Key, delta: Delta) -> Result<(), AddError> {
        let base = self.own.get(&key).or_else(|| self.state.get(&key));
        let sum = Value::apply(base, &delta)?;
        self.touched.adds.insert(key);
        self.own.insert(key, sum);
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        unreachable!("no mining transaction takes one")
    }

    fn rollback(&mut self, _: Checkpoint) -> Result<(), Stop> {
        unreachable!("no mining transaction takes a checkpoint")
    }

    fn poll(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

/// Executes on the same state, whatever the others do, and checks the hints on the way.
fn touched(world: &World, seed: u64, payload: AiMiningPayload) -> Touched {
    let nonce = world.account(seed).nonce;
    let payload = Payload::AiMining(Box::new(payload));
    let signed = sign(seed, Transaction { nonce, ..unsigned(seed, payload) });
    let mut view = View { state: &world.state, own: BTreeMap::new(), touched: Touched::default() };
    let outcome = world.vm().execute(&signed, &mut view).expect("this view never stops");
    assert_eq!(outcome.verdict, Verdict::Applied, "{:?}", outcome.output);
    let touched = view.touched;
    let mut hints = 0;
    world.vm().footprint(&signed, &mut |key, touch| {
        assert_eq!(touch, Touch::Write);
        assert!(touched.reads.contains(&key) && touched.writes.contains(&key), "{key:?}");
        hints += 1;
    });
    assert!(hints >= 2, "the account and the miner at least");
    touched
}

#[test]
fn registrations_of_different_miners_are_independent() {
    let world = world();
    let (one, two) = (touched(&world, 8, register(8)), touched(&world, 9, register(9)));
    assert!(!one.conflicts(&two));
    assert!(one.conflicts(&touched(&world, 8, register(8))), "the test can tell");
}

#[test]
fn publications_of_different_publishers_are_independent() {
    let world = world();
    let one = touched(&world, 2, publish(1, Difficulty::Beginner));
    assert!(!one.conflicts(&touched(&world, 3, publish(2, Difficulty::Expert))));
    assert!(!one.conflicts(&touched(&world, 8, register(8))));
    assert!(one.conflicts(&touched(&world, 3, publish(1, Difficulty::Beginner))), "one id");
    assert!(one.conflicts(&touched(&world, 2, publish(2, Difficulty::Beginner))), "one publisher");
}

#[test]
fn answers_and_scores_of_different_tasks_are_independent() {
    let mut world = world();
    act(&mut world, 2, publish(1, Difficulty::Beginner)).unwrap();
    act(&mut world, 3, publish(2, Difficulty::Beginner)).unwrap();
    let one = touched(&world, 4, answer(1, Difficulty::Beginner, "the first answer"));
    assert!(!one.conflicts(&touched(&world, 5, answer(2, Difficulty::Beginner, "the first answer"))));
    assert!(one.conflicts(&touched(&world, 5, answer(1, Difficulty::Beginner, "the first answer"))), "one task");

    act(&mut world, 4, answer(1, Difficulty::Beginner, "the first answer")).unwrap();
    act(&mut world, 5, answer(2, Difficulty::Beginner, "the first answer")).unwrap();
    let one = touched(&world, 6, judge(&world, 1, 0, 50));
    assert!(!one.conflicts(&touched(&world, 7, judge(&world, 2, 0, 50))));
    assert!(!one.conflicts(&touched(&world, 8, register(8))));
    // A publisher is not concerned by scores of its task, until one completes it.
    assert!(!one.conflicts(&{
        let mut rested = world.clone();
        wait(&mut rested, 300);
        touched(&rested, 2, publish(3, Difficulty::Beginner))
    }));
    let completing = touched(&world, 6, judge(&world, 1, 0, 70));
    for seed in [2, 4] {
        assert!(completing.writes.contains(&Key::Miner(addr(seed))));
    }
    assert!(!completing.conflicts(&touched(&world, 7, judge(&world, 2, 0, 70))), "tasks with nobody in common");
}

#[test]
fn nothing_reads_a_counter_but_a_score_past_the_deadline() {
    let mut world = answered(Difficulty::Beginner);
    act(&mut world, 5, publish(2, Difficulty::Beginner)).unwrap();
    let score = touched(&world, 4, judge(&world, 1, 0, 50));
    let completing = touched(&world, 4, judge(&world, 1, 0, 70));
    for normal in [&score, &completing, &touched(&world, 8, register(8))] {
        assert!(normal.reads.iter().all(|key| !matches!(key, Key::Counter(_))), "{normal:?}");
        assert!(normal.adds.contains(&Key::Counter(Counter::MiningClock)));
    }
    let mut completed = works(&world, 4, judge(&world, 1, 0, 70));
    wait(&mut completed, 20 * DAY);
    assert!(!touched(&completed, 6, judge(&completed, 1, 0, 70)).reads_clock(), "its end is known");

    wait(&mut world, 20 * DAY);
    let late = touched(&world, 4, judge(&world, 1, 0, 70));
    assert!(late.reads_clock());
    assert!(late.conflicts(&touched(&world, 8, register(8))), "who was first decides what is counted");
    assert!(!late.writes.contains(&Key::Miner(addr(3))), "and nobody is rewarded");
    // After the first late score the status is stored, and the clock is of no interest any more.
    let mut expired = works(&world, 4, judge(&world, 1, 0, 70));
    wait(&mut expired, DAY);
    assert!(!touched(&expired, 6, judge(&expired, 1, 0, 70)).reads_clock());
}
