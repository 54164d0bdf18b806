//! What a contract is told (spec 8): its input, its entry, its surroundings.

use super::*;
use crate::wire::Primitive;

#[test]
fn the_input_is_the_bytes_one_after_another() {
    let mut world = world();
    let source = "mov64 r6, r2\nmov64 r1, 0\nlddw r3, 0x300000000\nsyscall get_input_data\n\
                  lddw r1, 0x300000000\nmov64 r2, r6\nsyscall set_return_data\nmov64 r0, 0\nexit";
    let contract = install(&mut world, 0xaa, &module(source));
    let bytes = |bytes: &[u8]| ValueCell::Bytes(bytes.to_vec());
    let cells = vec![
        ValueCell::Primitive(Primitive::U8(9)),
        bytes(b"one"),
        ValueCell::Primitive(Primitive::String("no".into())),
        ValueCell::Object(vec![bytes(b"not this")]),
        bytes(b""),
        ValueCell::Map(vec![(bytes(b"nor"), bytes(b"that"))]),
        bytes(b"two"),
        ValueCell::Primitive(Primitive::Null),
    ];
    let input = InvokeContractPayload { parameters: cells, ..call(contract) };
    assert_eq!(returned(&mut world, input), b"onetwo");
    assert_eq!(returned(&mut world, call(contract)), b"");
    assert_eq!(returned(&mut world, call_with(contract, &[5; 700])), [5; 700]);
}

#[test]
fn the_entry_arrives_whole() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &Program::new().note_start().exit(0));
    for entry_id in [0, 0x1234, u16::MAX] {
        let payload = InvokeContractPayload { entry_id, ..call_with(contract, b"seven b") };
        // No constructor.
        assert_eq!(numbers(&mut world, payload), [7, u64::from(entry_id), 0]);
    }
}

#[test]
fn the_surroundings() {
    for mode in MODES {
        let mut world = world_in(mode);
        world.context.hash = Hash([0xb1; 32]);
        world.context.height = 0x1122_3344_5566;
        world.context.timestamp = 12_345_678;
        let mut program = Program::new();
        for name in ["get_caller", "get_signer", "get_program_id", "get_block_hash", "get_tx_hash"] {
            program.note_32(name);
        }
        for name in ["get_block_height", "get_topoheight", "get_block_timestamp"] {
            program.sys(name, &[]).note();
        }
        let contract = install(&mut world, 0xaa, &program.exit(0));
        let payload = call(contract);
        let hash = sign(SOURCE, transaction(&world, invoke(payload.clone()))).hash();
        let told = returned(&mut world, payload);
        let source = addr(SOURCE).0;
        assert_eq!(told[..160], [source, source, [0xaa; 32], [0xb1; 32], hash.0].concat());
        // The time is in seconds.
        assert_eq!(told[160..], [0x1122_3344_5566, 0x1122_3344_5566, 12_345].map(u64::to_le_bytes).concat());
    }
}
