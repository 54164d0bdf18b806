//! Transfers of tokens.

use revm::context::TxEnv;
use revm::primitives::{Address, TxKind, U256};

use super::artifacts::Contract;
use super::genesis::{Genesis, WorkloadError};
use super::people::{ACCOUNTS, Draw, People};
use super::raw::{self, Made};
use super::token::{self, Token};
use super::{GAS_PRICE, distinct};

/// What the field allows a token transfer, with room for a recipient's first tokens.
const GAS_LIMIT: u64 = 60_000;

/// Tokens of the clusters.
const CLUSTERS: usize = 10;
/// Families that share a token.
const FAMILIES: usize = 15;
/// People of a family, who send to each other.
const FAMILY: usize = 15;

/// A token transfer.
pub(super) fn transfer(genesis: &mut Genesis, token: &Token, from: Address, to: Address) -> TxEnv {
    TxEnv {
        caller: from,
        nonce: genesis.next_nonce(from),
        kind: TxKind::Call(token.address),
        data: token::transfer(to, U256::from(900)),
        gas_limit: GAS_LIMIT,
        gas_price: GAS_PRICE,
        ..TxEnv::default()
    }
}

/// A token that these people hold, who get ether as well.
pub(super) fn token(genesis: &mut Genesis, chance: &mut People, holders: &[Address]) -> Result<Token, WorkloadError> {
    let token = Token::deploy(genesis, &Contract::Token.initcode()?, chance.address())?;
    token.fund(genesis, holders)?;
    Ok(token)
}

fn one_token(chance: &mut People, ends: &[(Address, Address)]) -> Made {
    let holders = distinct(ends.iter().flat_map(|&(from, to)| [from, to]));
    let mut genesis = Genesis::default();
    holders.iter().for_each(|&holder| genesis.fund(holder));
    let token = token(&mut genesis, chance, &holders)?;
    let transactions = ends.iter().map(|&(from, to)| transfer(&mut genesis, &token, from, to)).collect();
    Ok((genesis.finish()?, transactions))
}

/// As many senders as transactions; the first `chained` send to the next one, the others to themselves.
pub(super) fn along(transactions: usize, chained: usize, seed: u64) -> Made {
    let mut chance = People::new(seed);
    let people = chance.addresses(transactions);
    one_token(&mut chance, &raw::ends(&people, chained).collect::<Vec<_>>())
}

/// Both ends of every transfer are drawn.
pub(super) fn drawn(transactions: usize, draw: Draw, seed: u64) -> Made {
    let mut chance = People::new(seed);
    let people = chance.addresses(ACCOUNTS);
    let ends: Vec<_> = (0..transactions).map(|_| (chance.draw(&people, draw), chance.draw(&people, draw))).collect();
    one_token(&mut chance, &ends)
}

/// Several tokens; everybody sends in turn, each time to somebody of the own family.
pub(super) fn clusters(transactions: usize, seed: u64) -> Made {
    let mut chance = People::new(seed);
    let mut genesis = Genesis::default();
    let mut clusters = Vec::new();
    for _ in 0..CLUSTERS {
        let people = chance.addresses(FAMILIES * FAMILY);
        people.iter().for_each(|&person| genesis.fund(person));
        clusters.push((token(&mut genesis, &mut chance, &people)?, people));
    }
    let made = (0..transactions).map(|index| {
        let (token, people) = &clusters[index / (FAMILIES * FAMILY) % CLUSTERS];
        let person = index % (FAMILIES * FAMILY);
        let relative = person / FAMILY * FAMILY + chance.below(FAMILY);
        transfer(&mut genesis, token, people[person], people[relative])
    });
    let transactions = made.collect();
    Ok((genesis.finish()?, transactions))
}
