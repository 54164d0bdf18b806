//! Ends of executions that are none of the contract's: the engine stops it, the view panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use weft_engine::{AddError, Checkpoint, StateView, Stop, Vm};
use weft_mvmemory::Value as _;

use super::*;
use crate::rules::ContractIds;
use crate::signed::SignedTransaction;
use crate::state::Delta;

/// A view on a map, of which one question is not answered.
struct View {
    state: BTreeMap<Key, Value>,
    checkpoints: Vec<BTreeMap<Key, Value>>,
    /// Every question so far.
    asked: Vec<&'static str>,
    fails_at: usize,
    panics: bool,
    /// What came after the question that was not answered.
    asked_after: usize,
}

impl View {
    fn new(state: &BTreeMap<Key, Value>, fails_at: usize, panics: bool) -> Self {
        let state = state.clone();
        Self { state, checkpoints: Vec::new(), asked: Vec::new(), fails_at, panics, asked_after: 0 }
    }

    fn ask(&mut self, what: &'static str) -> Result<(), Stop> {
        let number = self.asked.len();
        self.asked.push(what);
        if number < self.fails_at {
            return Ok(());
        }
        self.asked_after += usize::from(number > self.fails_at);
        if self.panics {
            std::panic::panic_any(number);
        }
        Err(Stop::new())
    }
}

impl StateView<Key, Value> for View {
    fn read(&mut self, key: &Key) -> Result<Option<Value>, Stop> {
        self.ask("read")?;
        Ok(self.state.get(key).cloned())
    }

    fn write(&mut self, key: Key, value: Value) {
        self.state.insert(key, value);
    }

    fn delete(&mut self, key: Key) {
        self.state.remove(&key);
    }

    fn add(&mut self, key: Key, delta: Delta) -> Result<(), AddError> {
        self.ask("add")?;
        let value = Value::apply(self.state.get(&key), &delta)?;
        self.state.insert(key, value);
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.checkpoints.push(self.state.clone());
        Checkpoint::after(self.checkpoints.len() - 1)
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        self.ask("rollback")?;
        self.state = self.checkpoints[checkpoint.changes()].clone();
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        self.ask("poll")
    }
}

/// A contract that asks the state for everything, and whose callees do; and one whose call is undone.
fn everything(world: &mut World, code: u64) -> Module {
    for (id, code) in [(0xbb, 0), (0xcc, 1)] {
        let mut program = Program::new();
        program.read("storage_read", b"k").add(b"n", 1).write(b"k", b"v").balance(&[id; 32]);
        program.transfer(&[id; 32], &addr(3).0, 5);
        let contract = install(world, id, &program.exit(code));
        fund(world, contract, 50);
    }
    let mut program = Program::new();
    program.read("storage_read", b"k").write(b"k", b"v").add(b"n", 1).write(b"k", b"").balance(&addr(3).0);
    program.call(&[0xbb; 32], b"").call(&[0xcc; 32], b"").call(&[0xdd; 32], b"");
    let own = program.space(32);
    let to = program.data(&addr(3).0);
    program.sys("get_program_id", &[own]).sys("transfer", &[own, to, 5]).note();
    program.sys("get_external_code_size", &[to]);
    for _ in 0..20 {
        program.sys("get_block_height", &[]);
    }
    program.exit(code)
}

/// Transactions with all kinds of questions in them.
fn transactions() -> Vec<(World, SignedTransaction)> {
    let mut all = Vec::new();
    for mode in MODES {
        for code in [0, 4] {
            let mut world = world_in(mode);
            let module = everything(&mut world, code);
            let contract = install(&mut world, 0xaa, &module);
            let payload = InvokeContractPayload { deposits: native(500), ..call(contract) };
            all.push((world.clone(), sign(SOURCE, transaction(&world, invoke(payload)))));
            world.config.contract_ids = ContractIds::Deployer;
            let constructor = crate::wire::Constructor { max_gas: GAS, deposits: native(500) };
            all.push((world.clone(), sign(SOURCE, transaction(&world, deploy(&module, Some(constructor))))));
        }
        // A trap, for which the state is not asked about its end by the contract.
        let mut world = world_in(mode);
        let contract = install(&mut world, 0xaa, &Program::new().write(b"k", b"v").abort());
        all.push((world.clone(), sign(SOURCE, transaction(&world, invoke(call(contract))))));
    }
    all
}

/// Executes with all questions answered; which they were.
fn questions(world: &World, signed: &SignedTransaction) -> Vec<&'static str> {
    let mut view = View::new(&world.state, usize::MAX, false);
    let outcome = world.vm().execute(signed, &mut view).unwrap();
    assert_eq!(outcome.output.result, Ok(()));
    view.asked
}

#[test]
fn a_stop_at_any_question_ends_the_execution() {
    let mut kinds = std::collections::BTreeSet::new();
    for (world, signed) in transactions() {
        let asked = questions(&world, &signed);
        assert!(asked.len() > 4);
        for (fails_at, question) in asked.iter().enumerate() {
            let mut view = View::new(&world.state, fails_at, false);
            let result = world.vm().execute(&signed, &mut view);
            assert!(result.is_err(), "{question} at {fails_at}: {result:?}");
            assert_eq!(view.asked_after, 0, "{question} at {fails_at} was not the last");
        }
        kinds.extend(asked);
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["add", "poll", "read", "rollback"]);
}

#[test]
fn a_panic_at_any_question_passes_through() {
    for (world, signed) in transactions() {
        for fails_at in 0..questions(&world, &signed).len() {
            let mut view = View::new(&world.state, fails_at, true);
            let run = || world.vm().execute(&signed, &mut view);
            let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("the view panics");
            assert_eq!(payload.downcast_ref::<usize>(), Some(&fails_at), "the payload is the view's own");
            assert_eq!(view.asked_after, 0);
        }
        // And the machine is as good as before.
        assert_eq!(world.clone().run(&signed).map(|_| ()), Ok(()));
    }
}
