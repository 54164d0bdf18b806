//! Events, which are kept in receipts, and messages, which are not.

use smallvec::SmallVec;
use solana_sbpf::vm::ContextObject;

use super::{Arguments, limit};
use crate::contract::sbpf::context::{Context, Stop};
use crate::contract::{Event, Host};
use crate::hex;
use crate::types::Hash;

/// Prices of events without topics, and of each topic.
const EVENT_PRICE: u64 = 375;
const TOPIC_PRICE: u64 = 125;
const MESSAGE_PRICE: u64 = 100;
/// Bytes of a topic.
const TOPIC: u64 = 32;

pub(super) fn event<const TOPICS: u64>(
    context: &mut Context,
    host: &mut dyn Host,
    [topics, data, length, ..]: Arguments,
) -> Result<u64, Stop> {
    limit("the data of an event", length, context.limits.event_bytes)?;
    context.charge_bytes(EVENT_PRICE + TOPICS * TOPIC_PRICE, length)?;
    let topics = (0..TOPICS)
        .map(|topic| Ok(Hash(context.memory.read_32(topics.wrapping_add(topic * TOPIC))?)))
        .collect::<Result<SmallVec<[Hash; 1]>, Stop>>()?;
    let data = context.read(data, length)?.into();
    host.emit(Event { contract: host.environment().call.contract, topics, data });
    Ok(0)
}

/// The text is read also when nobody listens: what a run gives must not depend on it.
pub(super) fn log(context: &mut Context, host: &mut dyn Host, [text, length, ..]: Arguments) -> Result<u64, Stop> {
    context.charge_bytes(MESSAGE_PRICE, length)?;
    let text = context.read(text, length)?;
    let contract = &host.environment().call.contract;
    tracing::debug!(%contract, text = %String::from_utf8_lossy(&text), "a contract says");
    Ok(0)
}

pub(super) fn log_numbers(context: &mut Context, host: &mut dyn Host, numbers: Arguments) -> Result<u64, Stop> {
    context.charge(MESSAGE_PRICE)?;
    tracing::debug!(contract = %host.environment().call.contract, ?numbers, "a contract says");
    Ok(0)
}

pub(super) fn log_key(context: &mut Context, host: &mut dyn Host, [key, ..]: Arguments) -> Result<u64, Stop> {
    context.charge(MESSAGE_PRICE)?;
    let key = context.memory.read_32(key)?;
    tracing::debug!(contract = %host.environment().call.contract, key = hex::encode(&key), "a contract says");
    Ok(0)
}

pub(super) fn log_units(context: &mut Context, host: &mut dyn Host, _: Arguments) -> Result<u64, Stop> {
    context.charge(MESSAGE_PRICE)?;
    let units = context.get_remaining();
    tracing::debug!(contract = %host.environment().call.contract, units, "a contract says");
    Ok(units)
}

pub(super) fn abort(context: &mut Context, _: &mut dyn Host, _: Arguments) -> Result<u64, Stop> {
    context.charge(MESSAGE_PRICE)?;
    Err(Stop::Fault("the contract aborted".into()))
}
