//! Small contracts, put together from system calls.

use crate::contract::{Module, assemble};

pub(super) const HEAP: u64 = 0x3_0000_0000;
/// What the contract returns is collected at the start of the heap; what it is made with lies behind.
const DATA: u64 = HEAP + 4096;

pub(super) fn module(source: &str) -> Module {
    Module::new(assemble(source).unwrap_or_else(|error| panic!("{error}\n{source}")))
}

/// A contract that makes one system call after another. What it is to return is collected on the way.
#[derive(Debug, Clone)]
pub(super) struct Program {
    text: String,
    next_data: u64,
    returned: u64,
}

impl Program {
    pub(super) fn new() -> Self {
        Self { text: String::new(), next_data: DATA, returned: 0 }
    }

    /// The first thing of all: the contract is to return what it was started with, the length of the input, the entry
    /// id and whether it is a constructor.
    pub(super) fn note_start(&mut self) -> &mut Self {
        assert!(self.text.is_empty());
        self.raw("mov64 r6, r2\nmov64 r7, r3\nmov64 r8, r4");
        self.raw("mov64 r0, r6").note();
        self.raw("mov64 r0, r7").note();
        self.raw("mov64 r0, r8").note()
    }

    /// The address of memory for `bytes` bytes.
    pub(super) fn space(&mut self, bytes: u64) -> u64 {
        let address = self.next_data;
        self.next_data += bytes.next_multiple_of(8);
        assert!(self.next_data <= HEAP + 32 * 1024);
        address
    }

    /// The address of a copy of `bytes`.
    pub(super) fn data(&mut self, bytes: &[u8]) -> u64 {
        let address = self.space(bytes.len() as u64);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let at = address + 8 * index as u64;
            self.raw(&format!("lddw r1, {at}\nlddw r2, {}\nstxdw [r1+0], r2", u64::from_le_bytes(word)));
        }
        address
    }

    /// Instructions as they are. Register 9 is this program's own.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.text += text;
        self.text.push('\n');
        self
    }

    /// A system call with up to five arguments.
    pub(super) fn sys(&mut self, name: &str, arguments: &[u64]) -> &mut Self {
        for (register, value) in (1..).zip(arguments) {
            self.raw(&format!("lddw r{register}, {value}"));
        }
        self.raw(&format!("syscall {name}"))
    }

    /// The contract is to return r0 too.
    pub(super) fn note(&mut self) -> &mut Self {
        let at = HEAP + self.returned;
        self.returned += 8;
        self.raw(&format!("lddw r9, {at}\nstxdw [r9+0], r0"))
    }

    /// The contract is to return the 32 bytes that this system call gives.
    pub(super) fn note_32(&mut self, name: &str) -> &mut Self {
        let at = HEAP + self.returned;
        self.returned += 32;
        self.sys(name, &[at])
    }

    /// `storage_write` of bytes.
    pub(super) fn write(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        let arguments = [self.data(key), key.len() as u64, self.data(value), value.len() as u64];
        self.sys("storage_write", &arguments)
    }

    /// `storage_add`; the contract returns what it gave.
    pub(super) fn add(&mut self, key: &[u8], amount: u64) -> &mut Self {
        let arguments = [self.data(key), key.len() as u64, amount];
        self.sys("storage_add", &arguments).note()
    }

    /// `storage_read` or `tload` of up to 8 bytes; the contract returns the length, and the bytes as a number.
    pub(super) fn read(&mut self, name: &str, key: &[u8]) -> &mut Self {
        let (key, length, out) = (self.data(key), key.len() as u64, self.space(8));
        self.sys(name, &[key, length, out, 8]).note();
        self.raw(&format!("lddw r1, {out}\nldxdw r0, [r1+0]")).note()
    }

    /// `transfer`; the contract returns what it gave.
    pub(super) fn transfer(&mut self, from: &[u8; 32], to: &[u8; 32], amount: u64) -> &mut Self {
        let arguments = [self.data(from), self.data(to), amount];
        self.sys("transfer", &arguments).note()
    }

    /// `get_balance`; the contract returns it.
    pub(super) fn balance(&mut self, of: &[u8; 32]) -> &mut Self {
        let of = self.data(of);
        self.sys("get_balance", &[of]).note()
    }

    /// `get_balance` of the contract itself, whatever its id is; the contract returns it.
    pub(super) fn own_balance(&mut self) -> &mut Self {
        let own = self.space(32);
        self.sys("get_program_id", &[own]);
        self.sys("get_balance", &[own]).note()
    }

    /// `get_deposit`; the contract returns it.
    pub(super) fn deposit(&mut self, asset: &[u8; 32]) -> &mut Self {
        let asset = self.data(asset);
        self.sys("get_deposit", &[asset]).note()
    }

    /// `log0` of one byte.
    pub(super) fn event(&mut self, byte: u8) -> &mut Self {
        let data = self.data(&[byte]);
        self.sys("log0", &[HEAP, data, 1])
    }

    /// Calls a contract; this one returns what that gave.
    pub(super) fn call(&mut self, contract: &[u8; 32], input: &[u8]) -> &mut Self {
        let arguments = [self.data(contract), self.data(input), input.len() as u64];
        self.sys("invoke", &arguments).note()
    }

    /// The instructions so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The contract: it sets what it returns, and exits with `code`.
    pub(super) fn exit(&mut self, code: u64) -> Module {
        let returned = self.returned;
        self.sys("set_return_data", &[HEAP, returned]);
        self.raw(&format!("lddw r0, {code}\nexit"));
        module(&self.text)
    }

    /// The contract: after all this it traps.
    pub(super) fn abort(&mut self) -> Module {
        self.sys("abort", &[]);
        self.raw("exit");
        module(&self.text)
    }
}
