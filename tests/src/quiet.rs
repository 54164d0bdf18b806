//! Panics that tests provoke inside a virtual machine are caught by the engine, but the default hook prints each.

use std::sync::Once;

/// What every provoked panic says.
pub const PROVOKED: &str = "provoked";

/// Keeps provoked panics, and those of the test machine on inconsistent snapshots, from being printed. All others, a
/// failing assertion of a test among them, are printed as always.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let message = payload.downcast_ref::<&str>().copied();
            let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
            if !message.contains(PROVOKED) && !message.contains("an inconsistent snapshot") {
                loud(panic);
            }
        }));
    });
}
