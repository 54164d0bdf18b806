//! Contract parameters (spec 2.4.7). Decoding keeps its own stack, so that nesting costs no call depth.

use super::writer::limit;
use super::{DecodeError, DecodeReason, EncodeError, Reader, Writer};

/// Most bytes of a bytes cell.
pub const MAX_CELL_BYTES: usize = 1_000_000;
/// Most entries of an object or map cell.
pub const MAX_CELL_COUNT: usize = 10_000;
/// Most objects and maps open at once.
pub const MAX_CELL_DEPTH: usize = 64;

/// A plain value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Primitive {
    /// Nothing.
    Null,
    /// 8 bits.
    U8(u8),
    /// 16 bits.
    U16(u16),
    /// 32 bits.
    U32(u32),
    /// 64 bits.
    U64(u64),
    /// 128 bits.
    U128(u128),
    /// 256 bits, big-endian.
    U256([u8; 32]),
    /// True or false.
    Bool(bool),
    /// UTF-8, at most 65535 bytes.
    String(String),
    /// From the first to the second, both numbers of one type.
    Range(Box<(Primitive, Primitive)>),
}

/// A contract parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueCell {
    /// A plain value.
    Primitive(Primitive),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list of cells.
    Object(Vec<ValueCell>),
    /// Pairs of key and value, in wire order.
    Map(Vec<(ValueCell, ValueCell)>),
}

impl Primitive {
    const fn tag(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 3,
            Self::U64(_) => 4,
            Self::U128(_) => 5,
            Self::U256(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Range(_) => 9,
        }
    }

    const fn is_number(&self) -> bool {
        matches!(self.tag(), 1..=6)
    }
}

/// A container whose entries are still being read.
struct Open {
    left: usize,
    is_map: bool,
    cells: Vec<ValueCell>,
}

impl Open {
    fn close(self) -> ValueCell {
        if !self.is_map {
            return ValueCell::Object(self.cells);
        }
        let mut pairs = Vec::with_capacity(self.cells.len() / 2);
        let mut cells = self.cells.into_iter();
        while let (Some(key), Some(value)) = (cells.next(), cells.next()) {
            pairs.push((key, value));
        }
        ValueCell::Map(pairs)
    }
}

/// Reads one cell with everything in it.
pub(super) fn read_cell(r: &mut Reader<'_>) -> Result<ValueCell, DecodeError> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let offset = r.offset();
        let tag = r.u8()?;
        let mut cell = match tag {
            0 => ValueCell::Primitive(read_primitive(r)?),
            1 => {
                let offset = r.offset();
                let length = r.u32()? as usize;
                if length > MAX_CELL_BYTES {
                    return Err(r.error_at(offset, DecodeReason::Limit { what: "bytes", value: length as u64 }));
                }
                ValueCell::Bytes(r.bytes(length)?.to_vec())
            }
            2 | 3 => {
                let count = r.u32()? as usize;
                if count > MAX_CELL_COUNT {
                    return Err(r.error_at(offset + 1, DecodeReason::Limit { what: "cells", value: count as u64 }));
                }
                if open.len() == MAX_CELL_DEPTH {
                    return Err(r.error_at(offset, DecodeReason::Depth));
                }
                let is_map = tag == 3;
                let left = if is_map { count * 2 } else { count };
                // A cell takes at least two bytes, so this cannot reserve more than the input pays for.
                let container = Open { left, is_map, cells: Vec::with_capacity(r.capacity(left, 2)) };
                if left > 0 {
                    open.push(container);
                    continue;
                }
                container.close()
            }
            value => return Err(r.error_at(offset, DecodeReason::BadTag { what: "cell kind", value })),
        };
        // A finished cell can finish the containers around it.
        loop {
            let Some(mut parent) = open.pop() else { return Ok(cell) };
            parent.cells.push(cell);
            parent.left -= 1;
            if parent.left > 0 {
                open.push(parent);
                break;
            }
            cell = parent.close();
        }
    }
}

fn read_primitive(r: &mut Reader<'_>) -> Result<Primitive, DecodeError> {
    let offset = r.offset();
    match r.u8()? {
        9 => {
            let from = read_simple(r, offset)?;
            let to = read_simple(r, offset)?;
            if !from.is_number() || from.tag() != to.tag() {
                return Err(r.error_at(offset, DecodeReason::Range));
            }
            Ok(Primitive::Range(Box::new((from, to))))
        }
        tag => read_tagged(r, tag, offset),
    }
}

fn read_simple(r: &mut Reader<'_>, range_offset: usize) -> Result<Primitive, DecodeError> {
    let offset = r.offset();
    match r.u8()? {
        // Ranges of ranges do not exist; refusing them here keeps this function from calling itself.
        9 => Err(r.error_at(range_offset, DecodeReason::Range)),
        tag => read_tagged(r, tag, offset),
    }
}

fn read_tagged(r: &mut Reader<'_>, tag: u8, offset: usize) -> Result<Primitive, DecodeError> {
    Ok(match tag {
        0 => Primitive::Null,
        1 => Primitive::U8(r.u8()?),
        2 => Primitive::U16(r.u16()?),
        3 => Primitive::U32(r.u32()?),
        4 => Primitive::U64(r.u64()?),
        5 => Primitive::U128(r.array().map(u128::from_be_bytes)?),
        6 => Primitive::U256(r.array()?),
        7 => Primitive::Bool(r.bool()?),
        8 => {
            let length = usize::from(r.u16()?);
            let start = r.offset();
            match std::str::from_utf8(r.bytes(length)?) {
                Ok(text) => Primitive::String(text.to_owned()),
                Err(_) => return Err(r.error_at(start, DecodeReason::Utf8)),
            }
        }
        value => return Err(r.error_at(offset, DecodeReason::BadTag { what: "primitive", value })),
    })
}

/// Writes one cell with everything in it.
pub(super) fn write_cell(w: &mut Writer, cell: &ValueCell) -> Result<(), EncodeError> {
    write_nested(w, cell, 0)
}

// The depth is checked before descending, so the recursion is bounded for hand-made cells too.
fn write_nested(w: &mut Writer, cell: &ValueCell, depth: usize) -> Result<(), EncodeError> {
    match cell {
        ValueCell::Primitive(primitive) => {
            w.u8(0);
            write_primitive(w, primitive)?;
        }
        ValueCell::Bytes(bytes) => {
            w.u8(1);
            w.u32(limit("bytes", bytes.len(), MAX_CELL_BYTES)? as u32);
            w.bytes(bytes);
        }
        ValueCell::Object(cells) => {
            limit("levels of cells", depth + 1, MAX_CELL_DEPTH)?;
            w.u8(2);
            w.u32(limit("cells", cells.len(), MAX_CELL_COUNT)? as u32);
            for cell in cells {
                write_nested(w, cell, depth + 1)?;
            }
        }
        ValueCell::Map(pairs) => {
            limit("levels of cells", depth + 1, MAX_CELL_DEPTH)?;
            w.u8(3);
            w.u32(limit("cells", pairs.len(), MAX_CELL_COUNT)? as u32);
            for (key, value) in pairs {
                write_nested(w, key, depth + 1)?;
                write_nested(w, value, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn write_primitive(w: &mut Writer, primitive: &Primitive) -> Result<(), EncodeError> {
    w.u8(primitive.tag());
    match primitive {
        Primitive::Null => {}
        Primitive::U8(value) => w.u8(*value),
        Primitive::U16(value) => w.u16(*value),
        Primitive::U32(value) => w.u32(*value),
        Primitive::U64(value) => w.u64(*value),
        Primitive::U128(value) => w.bytes(&value.to_be_bytes()),
        Primitive::U256(value) => w.bytes(value),
        Primitive::Bool(value) => w.bool(*value),
        Primitive::String(text) => {
            w.len_u16("bytes of text", text.len())?;
            w.bytes(text.as_bytes());
        }
        Primitive::Range(bounds) => {
            if !bounds.0.is_number() || bounds.0.tag() != bounds.1.tag() {
                return Err(EncodeError::Contradiction("a range needs two numbers of one type"));
            }
            write_primitive(w, &bounds.0)?;
            write_primitive(w, &bounds.1)?;
        }
    }
    Ok(())
}
