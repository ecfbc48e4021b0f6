//! Rest for a key service that gives nothing: while it is out, callers are told so at once instead of waiting for its deadline.
//!
//! Must never know: keys. Invariants: a service that is out is asked at most once a pause, by one caller; the first answer ends
//! the rest; operators read one line when it goes, one for each failed try, one when it is back.

use crate::{CustodyError, Outage};
use service::Clock;
use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct Breaker {
    provider: &'static str,
    clock: Clock,
    out: Mutex<Option<Out>>,
}

#[derive(Clone, Copy)]
struct Out {
    until: Duration,
    pause: Duration,
}

impl Breaker {
    pub(crate) const fn new(provider: &'static str, clock: Clock) -> Self {
        Self { provider, clock, out: Mutex::new(None) }
    }

    /// Runs `work` unless the service rests.
    pub(crate) fn guard<T>(&self, work: impl FnOnce() -> Result<T, CustodyError>) -> Result<T, CustodyError> {
        self.admit()?;
        let result = work();
        self.settle(result.as_ref().err());
        result
    }

    fn admit(&self) -> Result<(), CustodyError> {
        let now = self.clock.monotonic();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *out {
            Some(out) if now < out.until => Err(Outage::Resting.into()),
            Some(out) => {
                // Others rest on while this caller tries.
                out.until = now + out.pause;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn settle(&self, error: Option<&CustodyError>) {
        let now = self.clock.monotonic();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(CustodyError::Outage { why, source }) => {
                let pause = out.map_or(FIRST_PAUSE, |out| (out.pause * 2).min(LONGEST_PAUSE));
                *out = Some(Out { until: now + pause, pause });
                let cause = source.as_deref().map(|source| chain(source)).unwrap_or_default();
                tracing::error!(alarm = true, provider = self.provider, %why, cause, "the key service gives nothing");
            }
            _ => {
                if out.take().is_some() {
                    tracing::info!(provider = self.provider, "the key service answers again");
                }
            }
        }
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn failing(asked: &Cell<u32>) -> Result<(), CustodyError> {
        asked.set(asked.get() + 1);
        Err(Outage::Late.into())
    }

    #[test]
    fn a_service_that_is_out_is_asked_once_a_pause_and_an_answer_ends_it() {
        let (clock, asked) = (Clock::manual(0), Cell::new(0));
        let breaker = Breaker::new("test", clock.clone());
        for _ in 0..10 {
            assert!(breaker.guard(|| failing(&asked)).is_err());
        }
        assert_eq!(asked.get(), 1, "nine callers were told at once");
        for _ in 0..20 {
            clock.advance(LONGEST_PAUSE);
            assert!(breaker.guard(|| failing(&asked)).is_err());
        }
        assert_eq!(asked.get(), 21, "and it is asked again and again");
        clock.advance(LONGEST_PAUSE);
        assert!(breaker.guard(|| Ok(())).is_ok());
        assert!(breaker.guard(|| Ok(())).is_ok(), "no rest after an answer");
    }

    #[test]
    fn while_one_caller_tries_the_others_rest() {
        let clock = Clock::manual(0);
        let breaker = Breaker::new("test", clock.clone());
        assert!(breaker.guard(|| Err::<(), _>(Outage::Late.into())).is_err());
        clock.advance(LONGEST_PAUSE);
        let tried = breaker.guard(|| {
            let other = breaker.guard(|| Ok(()));
            assert!(matches!(other, Err(CustodyError::Outage { why: Outage::Resting, .. })));
            Ok(())
        });
        assert!(tried.is_ok());
    }

    #[test]
    fn answers_that_are_no_outage_give_no_rest() {
        let breaker = Breaker::new("test", Clock::manual(0));
        assert!(breaker.guard(|| Err::<(), _>(CustodyError::NotAuthentic)).is_err());
        assert!(breaker.guard(|| Ok(())).is_ok());
    }
}
