//! `weft fetch`: against a scripted server, and (ignored by default, see `.ci/anvil`) against a real node.

#![cfg(feature = "fetch")]

mod anvil;
mod chain;
mod contracts;
mod failures;
mod fixtures;
mod http;
