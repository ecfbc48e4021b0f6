//! Whether this process takes work. Invariant: once draining, never ready again.

use tokio::sync::watch;

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Booting, self-testing.
    Starting,
    /// Takes work.
    Ready,
    /// Finishes what it has and takes nothing new.
    Draining,
}

/// Shared readiness; clones share it.
#[derive(Debug, Clone)]
pub struct Readiness(watch::Sender<State>);

impl Readiness {
    /// Starting, until told otherwise.
    #[must_use]
    pub fn starting() -> Self {
        Self(watch::Sender::new(State::Starting))
    }

    /// Takes work from now on, unless draining.
    pub fn set_ready(&self) {
        self.move_to(State::Ready);
    }

    /// Not ready for now (a dependency is gone), unless draining.
    pub fn set_starting(&self) {
        self.move_to(State::Starting);
    }

    /// Takes no more work, for good.
    pub fn set_draining(&self) {
        self.move_to(State::Draining);
    }

    /// Where the process stands.
    #[must_use]
    pub fn state(&self) -> State {
        *self.0.borrow()
    }

    /// Takes work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state() == State::Ready
    }

    /// Takes no more work, for good.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state() == State::Draining
    }

    /// Sees every change from now on; for the gRPC health service.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    fn move_to(&self, state: State) {
        self.0.send_if_modified(|current| {
            let moves = *current != State::Draining && *current != state;
            if moves {
                *current = state;
            }
            moves
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_process_never_becomes_ready_again() {
        let readiness = Readiness::starting();
        assert!(!readiness.is_ready());
        readiness.set_ready();
        assert!(readiness.clone().is_ready());
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!(readiness.state(), State::Draining);
    }
}
