//! Deployments within the mixture of everything: modules that no other transaction deploys.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::Hash;
use weft_ledger::contract::samples::Sample;
use weft_ledger::contract::{Module, assemble};
use weft_ledger::wire::{Constructor, DeployContractPayload, Payload};

/// Its calls return the serial number. What its constructor does is `END`: it stores the number, refuses, or goes on
/// until the gas is gone.
const SOURCE: &str = "
.ascii KEY, \"serial\"
entrypoint:
    lddw r6, SERIAL
    stxdw [r10-8], r6
    jne r4, 0, constructor
    mov64 r1, r10
    add64 r1, -8
    mov64 r2, 8
    syscall set_return_data
    mov64 r0, 0
    exit
constructor:
    mov64 r1, KEY
    mov64 r2, KEY_LEN
    mov64 r3, r10
    add64 r3, -8
    mov64 r4, 8
    syscall storage_write
    mov64 r7, END
    jeq r7, 1, refuse
    jeq r7, 2, forever
    mov64 r0, 0
    exit
refuse:
    mov64 r0, 77
    exit
forever:
    ja forever
";

/// Gas of every constructor: what storing a number needs.
const MAX_GAS: u64 = 6_000;

/// What becomes of a constructor's call.
#[derive(Debug, Clone, Copy)]
enum End {
    Success = 0,
    Revert = 1,
    Trap = 2,
}

/// A deployment, and the contract that it brings.
pub(super) fn payload(serial: u64, random: &mut ChaCha12Rng) -> (Payload, Option<Hash>) {
    let (module, end) = match random.random_range(0..8) {
        // One that is there already: nothing changes, but everybody who calls it must notice that.
        0 => return (deployment(Sample::ManyReader.module(), None), None),
        1..4 => (unique(serial, End::Success), None),
        4 | 5 => (unique(serial, End::Success), Some(End::Success)),
        6 => (unique(serial, End::Revert), Some(End::Revert)),
        _ => (unique(serial, End::Trap), Some(End::Trap)),
    };
    let stays = matches!(end, None | Some(End::Success));
    let contract = stays.then(|| *module.hash());
    let constructor = end.map(|_| Constructor { max_gas: MAX_GAS, deposits: Vec::new() });
    (deployment(module, constructor), contract)
}

fn deployment(module: Module, constructor: Option<Constructor>) -> Payload {
    Payload::DeployContract(Box::new(DeployContractPayload { module, constructor }))
}

/// The module with this number.
fn unique(serial: u64, end: End) -> Module {
    let source = format!(".equ SERIAL, {serial}\n.equ END, {}\n{SOURCE}", end as u8);
    Module::new(assemble(&source).expect("the source assembles: it is fixed but for two numbers"))
}
