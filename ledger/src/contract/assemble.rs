//! Text to module: eBPF assembly to an ELF file that the machine loads.
//!
//! The instructions are encoded by the assembler of the sBPF crate. What is added here makes contracts readable and
//! mistakes findable: comments, named constants, sums, text in read-only data, and errors that name their line.
//!
//! ```text
//! ; A comment goes to the end of the line.
//! .equ VALUE, -8                 ; a constant: a sum of numbers, 'text' of up to 8 bytes, and constants above it
//! .ascii KEY, "calls"            ; read-only data: KEY is its address, KEY_LEN its length
//! entrypoint:                    ; where execution starts; without it, the first instruction
//!     stdw [r10+VALUE], 1
//!     mov64 r1, KEY
//!     mov64 r2, KEY_LEN
//!     mov64 r3, r10
//!     add64 r3, VALUE
//!     mov64 r4, 8
//!     syscall storage_write
//!     exit
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::sync::Arc;

use solana_sbpf::ebpf;
use solana_sbpf::elf::Executable;
use solana_sbpf::error::EbpfError;
use solana_sbpf::memory_region::MemoryMapping;
use solana_sbpf::program::{BuiltinProgram, SBPFVersion};
use solana_sbpf::verifier::RequisiteVerifier;
use solana_sbpf::vm::{Config, ContextObject};

/// Why a text is no module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct AssembleError {
    /// The line of the text, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Assembles `source` to an ELF file for sBPF version 3. The same text gives the same bytes, always.
///
/// # Errors
/// [`AssembleError`]: the text is not understood, or its program breaks the rules of the instruction set. Whether there
/// are such system calls is for the machine to say: [`ContractVm::check`](super::ContractVm::check).
///
/// # Examples
/// ```
/// use weft_ledger::contract::assemble;
///
/// let module = assemble("mov64 r0, 7 ; the exit code\nexit").unwrap();
/// assert_eq!(&module[..4], b"\x7fELF");
/// assert_eq!(assemble("exit\njump").unwrap_err().to_string(), "line 2: Invalid instruction \"jump\"");
/// ```
pub fn assemble(source: &str) -> Result<Vec<u8>, AssembleError> {
    let program = Program::read(source)?;
    let loader = Arc::new(BuiltinProgram::new_loader(Config {
        enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3,
        ..Config::default()
    }));
    let executable = encode(&program.text(program.lines.iter()), &loader)
        .map_err(|message| program.blame(&loader).unwrap_or(AssembleError { line: None, message }))?;
    executable.verify::<RequisiteVerifier>().map_err(|error| {
        let message = match error {
            EbpfError::VerifierError(error) => error.to_string(),
            error => error.to_string(),
        };
        AssembleError { line: program.line_of(&message), message }
    })?;
    let entry = executable.get_entrypoint_instruction_offset();
    elf(&program.read_only, executable.get_text_bytes().1, entry)
        .ok_or_else(|| AssembleError { line: None, message: "the program is too long".into() })
}

/// Nothing that is assembled here is executed, so the crate's type of running programs has no value.
enum NeverRun {}

impl ContextObject for NeverRun {
    fn consume(&mut self, _: u64) {
        match *self {}
    }

    fn get_remaining(&self) -> u64 {
        match *self {}
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        match *self {}
    }
}

fn encode(text: &str, loader: &Arc<BuiltinProgram<NeverRun>>) -> Result<Executable<NeverRun>, String> {
    solana_sbpf::assembler::assemble(text, loader.clone())
}

/// A text as the crate's assembler takes it: constants are numbers, comments and directives are gone.
#[derive(Default)]
struct Program {
    constants: BTreeMap<String, i128>,
    labels: BTreeSet<String>,
    /// Names in operands that are no constants, with their lines: they must be labels.
    targets: Vec<(usize, String)>,
    /// Line numbers of the source, and what they say: a label with its colon, or an instruction.
    lines: Vec<(usize, String)>,
    read_only: Vec<u8>,
}

impl Program {
    fn read(source: &str) -> Result<Self, AssembleError> {
        let mut program = Self::default();
        for (line, text) in source.lines().enumerate() {
            program.read_line(line + 1, text).map_err(|message| AssembleError { line: Some(line + 1), message })?;
        }
        if let Some((line, label)) = program.targets.iter().find(|(_, label)| !program.labels.contains(label)) {
            let message = format!("{label} is neither a constant above nor a label");
            return Err(AssembleError { line: Some(*line), message });
        }
        if program.lines.iter().all(|(_, text)| text.ends_with(':')) {
            return Err(AssembleError { line: None, message: "no instruction".into() });
        }
        Ok(program)
    }

    fn read_line(&mut self, line: usize, text: &str) -> Result<(), String> {
        let mut text = split_outside_quotes(text, ';').next().unwrap_or_default().trim();
        while let Some((label, rest)) = split_label(text) {
            check_name(label)?;
            if register(label) {
                return Err(format!("{label} is a register"));
            }
            if self.constants.contains_key(label) || !self.labels.insert(label.into()) {
                return Err(format!("{label} is defined twice"));
            }
            self.lines.push((line, format!("{}:", mangle(label))));
            text = rest.trim();
        }
        if text.is_empty() {
            return Ok(());
        }
        let (name, operands) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let operands: Vec<_> = match operands.trim() {
            "" => Vec::new(),
            operands => split_outside_quotes(operands, ',').map(str::trim).collect(),
        };
        match (name, &operands[..]) {
            (".equ", [name, value]) => {
                let value = self.sum(value)?.ok_or_else(|| format!("{value} is not defined above"))?;
                self.define(name, value)
            }
            (".ascii", [name, text]) => {
                let text = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                    .filter(|text| !text.contains('\\'))
                    .ok_or_else(|| format!("{text} is no text in double quotes without backslashes"))?;
                // The read-only data is at address 0 of the machine, so an offset in it is an address.
                self.define(name, self.read_only.len() as i128)?;
                self.define(&format!("{name}_LEN"), text.len() as i128)?;
                self.read_only.extend_from_slice(text.as_bytes());
                Ok(())
            }
            (".equ" | ".ascii", _) => Err(format!("{name} takes a name and a value")),
            (name, _) if name.starts_with('.') => Err(format!("no such directive: {name}")),
            ("syscall", [function]) => {
                check_name(function)?;
                // Version 3 names a system call by a hash; as the instruction's signed 32-bit number.
                let hash = ebpf::hash_symbol_name(function.as_bytes());
                self.lines.push((line, format!("syscall {}", number(i128::from(hash as i32)))));
                Ok(())
            }
            ("call", [target]) if self.sum(target)?.is_some_and(|offset| i32::try_from(offset).is_err()) => {
                // The crate's assembler would overflow.
                Err(format!("{target} is out of reach"))
            }
            _ => {
                let operands = operands
                    .iter()
                    .map(|operand| self.operand(line, operand))
                    .collect::<Result<Vec<_>, _>>()?
                    .join(", ");
                self.lines.push((line, format!("{name} {operands}").trim_end().to_owned()));
                Ok(())
            }
        }
    }

    fn define(&mut self, name: &str, value: i128) -> Result<(), String> {
        check_name(name)?;
        if register(name) {
            return Err(format!("{name} is a register"));
        }
        if self.labels.contains(name) || self.constants.insert(name.into(), value).is_some() {
            return Err(format!("{name} is defined twice"));
        }
        Ok(())
    }

    /// An operand as the crate's assembler takes it: a register, memory, a number or a label.
    fn operand(&mut self, line: usize, text: &str) -> Result<String, String> {
        if register(text) {
            return Ok(text.into());
        }
        if let Some(memory) = text.strip_prefix('[') {
            let memory = memory.strip_suffix(']').ok_or_else(|| format!("{text} has no closing bracket"))?.trim();
            let end = memory.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(memory.len());
            let (base, offset) = memory.split_at(end);
            if !register(base) {
                return Err(format!("{text} is no address: a register and an offset"));
            }
            let offset = match offset.trim() {
                "" => 0,
                offset if offset.starts_with(['+', '-']) => {
                    self.sum(offset)?.ok_or_else(|| format!("{offset} is not defined above"))?
                }
                _ => return Err(format!("{text} is no address: a register and an offset")),
            };
            return Ok(format!("[{base}+{}]", number(offset)));
        }
        match self.sum(text)? {
            Some(value) => Ok(number(value)),
            // Not a constant: a label, perhaps one further down.
            None => {
                self.targets.push((line, text.into()));
                Ok(mangle(text))
            }
        }
    }

    /// The value of numbers, constants and 'text' with + and - between them. `None`: one name that is no constant.
    fn sum(&self, text: &str) -> Result<Option<i128>, String> {
        let (mut value, mut rest, mut first) = (0_i128, text.trim(), true);
        while first || !rest.is_empty() {
            let (minus, signed) = match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
                (Some(rest), _) => (true, Some(rest.trim_start())),
                (_, plus) => (false, plus.map(str::trim_start)),
            };
            if signed.is_none() && !first {
                return Err(format!("{text} is no sum"));
            }
            let term = signed.unwrap_or(rest);
            let end = match term.strip_prefix('\'') {
                Some(quoted) => quoted.find('\'').ok_or_else(|| format!("{text} has no closing quote"))? + 2,
                None => term.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(term.len()),
            };
            let (term, after) = term.split_at(end);
            if !term.is_empty() && check_name(term).is_ok() && !self.constants.contains_key(term) {
                return match first && signed.is_none() && after.trim().is_empty() {
                    true => Ok(None),
                    false => Err(format!("{term} is not defined above")),
                };
            }
            let term = match self.constants.get(term) {
                Some(constant) => *constant,
                None => literal(term).ok_or_else(|| format!("{text} is not understood"))?,
            };
            // A literal is below 2^64 and each line is finite: nowhere near the end of 128 bits.
            value += if minus { -term } else { term };
            (rest, first) = (after.trim_start(), false);
        }
        match i128::from(i64::MIN) <= value && value <= i128::from(u64::MAX) {
            true => Ok(Some(value)),
            false => Err(format!("{text} does not fit in 64 bits")),
        }
    }

    /// The given lines as one text.
    fn text<'a>(&self, lines: impl Iterator<Item = &'a (usize, String)>) -> String {
        lines.map(|(_, text)| format!("{text}\n")).collect()
    }

    /// Which line the crate's assembler refuses, and why: it says only why. Each instruction is tried with all labels.
    fn blame(&self, loader: &Arc<BuiltinProgram<NeverRun>>) -> Option<AssembleError> {
        let labels = self.text(self.lines.iter().filter(|(_, text)| text.ends_with(':')));
        self.lines.iter().filter(|(_, text)| !text.ends_with(':')).find_map(|(line, text)| {
            let message = encode(&format!("{labels}{text}\n"), loader).err()?;
            // The position in the text that was made for the trial says nothing to the reader.
            let message = match message.split_once(": ") {
                Some((position, rest)) if position.starts_with("Parse error") => format!("{text}: {rest}"),
                _ => message,
            };
            Some(AssembleError { line: Some(*line), message })
        })
    }

    /// The line of the instruction that the verifier names in `message`.
    fn line_of(&self, message: &str) -> Option<usize> {
        let at = message.rsplit_once("insn #")?.1;
        let index: usize = at.trim_end_matches(')').parse().ok()?;
        let mut next = 0;
        self.lines.iter().filter(|(_, text)| !text.ends_with(':')).find_map(|(line, text)| {
            next += if text.starts_with("lddw ") { 2 } else { 1 };
            (index < next).then_some(*line)
        })
    }
}

/// The parts of `text` between `separator`s that are not in quotes.
fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quote = None;
    text.split(move |c: char| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            false
        }
        None => {
            if c == '"' || c == '\'' {
                quote = Some(c);
            }
            c == separator
        }
    })
}

/// A label at the beginning of a line, and what follows its colon.
fn split_label(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.split_once(':')?;
    // A colon further on is in some text.
    (!label.contains([' ', '\t', '"', '\''])).then_some((label, rest))
}

/// A label's name in the text for the crate's assembler, which would take names that begin with r for registers.
fn mangle(label: &str) -> String {
    match label {
        "entrypoint" => label.into(),
        _ => format!("l_{label}"),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() && name.chars().all(letters) => Ok(()),
        _ => Err(format!("{name:?} is no name: letters, digits and _, and no digit first")),
    }
}

/// Whether this is one of r0 to r10.
fn register(text: &str) -> bool {
    let number =
        text.strip_prefix('r').filter(|digits| !digits.starts_with('+')).and_then(|digits| digits.parse().ok());
    number.is_some_and(|number: u8| number <= 10)
}

/// A number, decimal or hexadecimal, `_` between digits allowed; or 'text': its bytes as a little-endian number.
fn literal(text: &str) -> Option<i128> {
    if let Some(quoted) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        let mut bytes = [0; 8];
        bytes.get_mut(..quoted.len())?.copy_from_slice(quoted.as_bytes());
        return Some(u64::from_le_bytes(bytes).into());
    }
    let digits = text.replace('_', "");
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse::<u64>().ok(),
    }
    .map(i128::from)
}

/// A number as the crate's assembler reads it back exactly: it takes 0 for decimals that it cannot hold.
fn number(value: i128) -> String {
    format!("{:#x}", value as u64)
}

/// The file: header, program headers, read-only data where there is any, instructions. No sections, no symbols.
fn elf(read_only: &[u8], text: &[u8], entry: usize) -> Option<Vec<u8>> {
    const HEADER: u16 = 64;
    const PROGRAM_HEADER: u16 = 56;
    const EM_BPF: u16 = 247;
    const PF_R: u32 = 4;
    const PF_X: u32 = 1;
    let mut read_only = read_only.to_vec();
    read_only.resize(read_only.len().next_multiple_of(ebpf::INSN_SIZE), 0);
    let segments = [(PF_R, ebpf::MM_RODATA_START, &read_only[..]), (PF_X, ebpf::MM_BYTECODE_START, text)];
    let segments = &segments[usize::from(read_only.is_empty())..];

    let mut file = Vec::new();
    file.extend_from_slice(b"\x7fELF");
    // 64 bits, little-endian, version 1, no particular system.
    file.extend_from_slice(&[2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // A shared object, of which version 1.
    file.extend_from_slice(&3_u16.to_le_bytes());
    file.extend_from_slice(&EM_BPF.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    let entry = u64::try_from(entry.checked_mul(ebpf::INSN_SIZE)?).ok()?;
    file.extend_from_slice(&ebpf::MM_BYTECODE_START.checked_add(entry)?.to_le_bytes());
    // Where the program headers are; no section headers.
    file.extend_from_slice(&u64::from(HEADER).to_le_bytes());
    file.extend_from_slice(&0_u64.to_le_bytes());
    // The flags are the version of sBPF.
    file.extend_from_slice(&3_u32.to_le_bytes());
    let count = u16::try_from(segments.len()).ok()?;
    for number in [HEADER, PROGRAM_HEADER, count, 0, 0, 0] {
        file.extend_from_slice(&number.to_le_bytes());
    }

    let mut offset = u64::from(HEADER) + u64::from(PROGRAM_HEADER) * u64::from(count);
    for (flags, address, bytes) in segments {
        let size = u64::try_from(bytes.len()).ok()?;
        // To be loaded.
        file.extend_from_slice(&1_u32.to_le_bytes());
        file.extend_from_slice(&flags.to_le_bytes());
        for number in [offset, *address, *address, size, size, 8] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        offset = offset.checked_add(size)?;
    }
    for (.., bytes) in segments {
        file.extend_from_slice(bytes);
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn error(source: &str) -> String {
        assemble(source).unwrap_err().to_string()
    }

    fn load(module: &[u8]) -> Executable<NeverRun> {
        let loader = BuiltinProgram::new_loader(Config {
            enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3,
            ..Config::default()
        });
        let executable = Executable::load(module, Arc::new(loader)).unwrap();
        executable.verify::<RequisiteVerifier>().unwrap();
        executable
    }

    #[test]
    fn the_strict_loader_takes_what_is_assembled() {
        let source = "
            .ascii NAME, \"a;b, c\" ; not a comment in there
            .equ VALUE, 'Transfer' - 1
            right: exit
            entrypoint:
                mov64 r1, NAME_LEN + 1
                lddw r2, VALUE
                ldxdw r3, [r10 - NAME_LEN]
                jne r1, 7, right
                call right
                syscall ripemd160
                exit";
        let module = assemble(source).unwrap();
        assert_eq!(module, assemble(source).unwrap());
        let executable = load(&module);
        assert_eq!(executable.get_entrypoint_instruction_offset(), 1);
        assert_eq!(executable.get_ro_section(), b"a;b, c\0\0");

        // The same without names, by the crate's own hand.
        let hash = ebpf::hash_symbol_name(b"ripemd160") as i32;
        let plain = format!(
            "helper:\nexit\nentrypoint:\nmov64 r1, 7\nlddw r2, {:#x}\nldxdw r3, [r10-6]\njne r1, 7, helper\n\
             call helper\nsyscall {hash}\nexit",
            u64::from_le_bytes(*b"Transfer") - 1
        );
        let loader = BuiltinProgram::new_loader(Config {
            enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3,
            ..Config::default()
        });
        let expected = encode(&plain, &Arc::new(loader)).unwrap();
        assert_eq!(executable.get_text_bytes().1, expected.get_text_bytes().1);
    }

    #[test]
    fn without_read_only_data_there_is_one_segment() {
        let module = assemble("exit").unwrap();
        assert_eq!(module.len(), 64 + 56 + 8);
        assert_eq!(load(&module).get_ro_section(), b"");
    }

    #[test]
    fn numbers_are_exact() {
        let numbers = ["-1", "18446744073709551615", "0xffff_ffff_ffff_ffff", "1 - 2", "-9223372036854775808 + 0"];
        for (text, value) in numbers.into_iter().zip([u64::MAX, u64::MAX, u64::MAX, u64::MAX, 1 << 63]) {
            let module = assemble(&format!("lddw r0, {text}\nexit")).unwrap();
            let text = &module[64 + 56..];
            let got = [&text[4..8], &text[12..16]].concat();
            assert_eq!(got, value.to_le_bytes(), "{text:?}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (source, expected) in [
            ("", "no instruction"),
            ("a:", "no instruction"),
            ("exit\n\n frobnicate r1", "line 3: Invalid instruction \"frobnicate\""),
            ("exit\nja nowhere", "line 2: nowhere is neither a constant above nor a label"),
            ("a: exit\n a: exit", "line 2: a is defined twice"),
            ("r0: exit", "line 1: r0 is a register"),
            ("1a: exit", "line 1: \"1a\" is no name: letters, digits and _, and no digit first"),
            (".equ A, 1\n.equ A, 2", "line 2: A is defined twice"),
            (".equ r3, 1", "line 1: r3 is a register"),
            (".equ A, B", "line 1: B is not defined above"),
            (".equ A", "line 1: .equ takes a name and a value"),
            (".ascii A, b", "line 1: b is no text in double quotes without backslashes"),
            (".fill 1", "line 1: no such directive: .fill"),
            ("mov64 r1, 1 2\nexit", "line 1: 1 2 is no sum"),
            ("mov64 r1, 1 + A\nexit", "line 1: A is not defined above"),
            ("mov64 r1, 'abc\nexit", "line 1: 'abc has no closing quote"),
            ("mov64 r1, 'more than 8'\nexit", "line 1: 'more than 8' is not understood"),
            ("lddw r1, 0x1_0000_0000_0000_0000\nexit", "line 1: 0x1_0000_0000_0000_0000 is not understood"),
            ("lddw r1, 0xffffffffffffffff + 1\nexit", "line 1: 0xffffffffffffffff + 1 does not fit in 64 bits"),
            ("ldxdw r1, [r2\nexit", "line 1: [r2 has no closing bracket"),
            ("ldxdw r1, [7]\nexit", "line 1: [7] is no address: a register and an offset"),
            ("ldxdw r1, [r2 8]\nexit", "line 1: [r2 8] is no address: a register and an offset"),
            ("ldxdw r1, [r2 + A]\nexit", "line 1: A is not defined above"),
            ("exit\nmov64 r1, 0xffffffff", "line 2: Invalid immediate 4294967295"),
            ("exit\nldxb r1, [r2+40000]", "line 2: Invalid offset 40000"),
            ("exit\nmov64 r1", "line 2: Unexpected operands: [Register(1)]"),
            ("exit\nlddw r1, 1\nmov64 r10, 1", "line 3: cannot write into register r10 (insn #3)"),
            ("exit\nja +7", "line 2: jump out of code to #9 (insn #1)"),
            ("exit\ndiv64 r1, 0", "line 2: division by 0 (insn #1)"),
            ("mov64 r11, 1\nexit", "line 1: r11 is neither a constant above nor a label"),
            ("call 0x7fff_ffff_ffff_ffff\nexit", "line 1: 0x7fff_ffff_ffff_ffff is out of reach"),
            ("mov64 r1, ,\nexit", "line 1:  is not understood"),
        ] {
            assert_eq!(error(source), expected, "{source}");
        }
        assert!(error("exit\nmo%v r1, 1").starts_with("line 2: mo%v r1, 0x1: unexpected '%'"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_text_is_too_strange(words in vec(prop_oneof![
            prop::sample::select(vec![
                "exit", "mov64", "ldxdw", "stb", "lddw", "call", "callx", "syscall", "ja", "jne", "neg64", "be16", ".equ",
                ".ascii", ".fill", "A", "B:", "r1", "r10", "r99", "[", "]", "[r1+8]", ",", "+", "-", "'a'", "'", "\"text\"",
                "\"", ";", ":", "\n", "0", "0x7fffffffffffffff", "18446744073709551615", "é",
            ]).prop_map(str::to_owned),
            any::<String>(),
        ], 0..40)) {
            // Whatever it is: a module that loads, or an error.
            if let Ok(module) = assemble(&words.join(" ")) {
                load(&module);
            }
        }
    }
}
