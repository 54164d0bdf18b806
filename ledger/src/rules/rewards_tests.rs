//! What a block is worth (spec 7.3).

use proptest::prelude::*;

use crate::rules::*;

fn at(height: u64, side_blocks: Option<u32>) -> BlockContext {
    BlockContext { height, side_blocks, ..BlockContext::default() }
}

/// The height before the block with height `own`.
fn of_height(own: u64) -> BlockContext {
    at(own - 1, None)
}

#[test]
fn the_first_block_is_worth_what_the_rules_print() {
    assert_eq!(MAX_SUPPLY, 18_400_000_000_000_000);
    assert_eq!(base_reward(0), 17_547_607_421);
    assert_eq!(block_reward(0, BLOCK_TIME_MS), 97_486_707);
    let reward = BlockReward::of(0, &at(0, None));
    assert_eq!(reward, BlockReward { emitted: 97_486_707, miner: 87_738_037, developer: 9_748_670 });
}

#[test]
fn the_reward_shrinks_with_what_is_left_and_ends() {
    // The last unit of the base reward, and the last base reward that is worth a unit.
    let left = |left: u64| MAX_SUPPLY - left;
    assert_eq!((base_reward(left(1 << 20)), base_reward(left((1 << 20) - 1))), (1, 0));
    let smallest = 180 << 20;
    assert_eq!(block_reward(left(smallest), BLOCK_TIME_MS), 1);
    for none in [left(smallest - 1), left(1), MAX_SUPPLY, MAX_SUPPLY + 1, u64::MAX] {
        assert_eq!(block_reward(none, BLOCK_TIME_MS), 0, "{none}");
        assert_eq!(BlockReward::of(none, &at(0, None)), BlockReward::default());
    }
}

#[test]
fn the_block_time_scales_the_reward_and_never_beyond_what_is_left() {
    assert_eq!(block_reward(0, 0), 0);
    // Milliseconds are divided away before the 180: both divisions round down.
    assert_eq!(block_reward(0, 1), 17_547_607 / 180);
    assert_eq!(block_reward(0, 3000), 17_547_607_421 * 3 / 180);
    assert_eq!(block_reward(0, u64::MAX), MAX_SUPPLY);
    assert_eq!(block_reward(MAX_SUPPLY - (180 << 20), u64::MAX), 180 << 20);
}

#[test]
fn side_blocks_get_less_the_more_of_them_there_are() {
    let percents = [0, 1, 2, 3, 4, u32::MAX].map(side_block_percent);
    assert_eq!(percents, [30, 15, 7, 5, 5, 5]);
    let rewards = [0, 1, 2, 3, 4].map(|earlier| BlockReward::of(0, &at(0, Some(earlier))).emitted);
    assert_eq!(rewards, [29_246_012, 14_623_006, 6_824_069, 4_874_335, 4_874_335]);
    // The shares are taken of what the side block gets.
    let side = BlockReward::of(0, &at(0, Some(2)));
    assert_eq!((side.developer, side.miner), (682_406, 6_141_663));
}

#[test]
fn the_developers_share_is_halved_at_its_height() {
    assert_eq!([0, 1, 15_767_999].map(developer_percent), [10; 3]);
    assert_eq!([15_768_000, 15_768_001, u64::MAX].map(developer_percent), [5; 3]);
    assert_eq!(BlockReward::of(0, &of_height(15_767_999)).developer, 9_748_670);
    assert_eq!(BlockReward::of(0, &of_height(15_768_000)).developer, 4_874_335);
    assert_eq!(BlockReward::of(0, &at(u64::MAX, None)).developer, 4_874_335);
}

#[test]
fn three_tenths_of_the_gas_are_burned_rounded_down() {
    assert_eq!([0, 1, 3, 4, 10, 101].map(miner_gas_share), [0, 1, 3, 3, 7, 71]);
    assert_eq!(u128::from(miner_gas_share(u64::MAX)), u128::from(u64::MAX) - u128::from(u64::MAX) * 30 / 100);
}

#[test]
fn the_supply_approaches_its_end_and_never_passes_it() {
    // Jumping: each step emits what 100000 blocks of the same reward would, or what is left.
    let (mut emitted, mut steps) = (0_u64, 0);
    while block_reward(emitted, BLOCK_TIME_MS) > 0 {
        let reward = block_reward(emitted, BLOCK_TIME_MS);
        emitted += (reward * 100_000).min(MAX_SUPPLY - emitted);
        steps += 1;
        assert!(emitted <= MAX_SUPPLY && steps < 1_000_000);
    }
    assert!(MAX_SUPPLY - emitted < 180 << 20);
}

/// Emitted supply: anything, and what is near the ends.
fn supply() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..=MAX_SUPPLY, 2 => (MAX_SUPPLY - (1 << 30))..=MAX_SUPPLY, 1 => any::<u64>()]
}

proptest! {
    #[test]
    fn the_shares_are_the_reward_and_the_supply_has_an_end(
        emitted in supply(),
        height in prop_oneof![15_767_990_u64..15_768_010, any::<u64>()],
        side_blocks in prop::option::of(prop_oneof![0..6_u32, any::<u32>()]),
        block_time in any::<u64>(),
    ) {
        let reward = BlockReward::of(emitted, &at(height, side_blocks));
        prop_assert_eq!(reward.miner + reward.developer, reward.emitted);
        prop_assert!(reward.emitted <= block_reward(emitted, BLOCK_TIME_MS));
        prop_assert!(reward.developer <= reward.emitted / 10);
        let left = MAX_SUPPLY.saturating_sub(emitted);
        prop_assert!(block_reward(emitted, block_time) <= left);
        prop_assert!(reward.emitted <= left >> 20);
    }

    #[test]
    fn the_miners_gas_is_what_the_plain_formula_gives(gas in any::<u64>()) {
        let burned = u128::from(gas) * 30 / 100;
        prop_assert_eq!(u128::from(miner_gas_share(gas)), u128::from(gas) - burned);
    }
}
