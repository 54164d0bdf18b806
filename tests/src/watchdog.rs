//! Turns a block that never ends into a test that fails.

use std::collections::BTreeMap;
use std::sync::{Once, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Far longer than what is run under [`must_end`] takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Far longer than any block of the tests takes.
const LAST_PATIENCE: Duration = Duration::from_secs(90);

/// Runs `work` on a thread of its own and gives back its result.
///
/// # Panics
/// When `work` panics or has not ended after ten seconds; the thread is left behind then.
pub fn must_end<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // Nobody listens any more if it came too late.
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it has not ended within {PATIENCE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => unreachable!("a thread that ends well has sent its result"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// What is running, by the time at which it began, with the name of its test's thread.
static RUNNING: Mutex<BTreeMap<(Instant, u64), String>> = Mutex::new(BTreeMap::new());

/// While it lives, something is running that must end; else the process is aborted: a hanging test binary says nothing.
#[derive(Debug)]
pub struct Watched((Instant, u64));

impl Watched {
    /// Begins to watch.
    #[must_use]
    pub fn begin() -> Self {
        static WATCHER: Once = Once::new();
        WATCHER.call_once(|| drop(std::thread::spawn(watch)));
        let mut running = RUNNING.lock();
        let now = Instant::now();
        let number = running.last_key_value().map_or(0, |((_, number), _)| number + 1);
        running.insert((now, number), std::thread::current().name().unwrap_or("a thread without a name").to_owned());
        Self((now, number))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().remove(&self.0);
    }
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let oldest = RUNNING.lock().first_key_value().map(|((began, _), name)| (began.elapsed(), name.clone()));
        if let Some((elapsed, name)) = oldest.filter(|(elapsed, _)| *elapsed > LAST_PATIENCE) {
            #[expect(clippy::print_stderr, reason = "the process is about to end; there is no other way to say why")]
            {
                eprintln!("{name}: a block has not ended within {elapsed:?}");
            }
            std::process::abort();
        }
    }
}
